import { isTar, tarProblem } from './tar.ts'
import { textProblem } from './text.ts'
import type { Windows } from './windows.ts'

type Kind = {
  /** Completes "the file is …". */
  readonly name: string
  readonly offset?: number
  readonly magic: string | readonly number[]
  /** What to do, where that is more than sending another file. */
  readonly advice?: string
}

const unpack = (command: string) => `unpack it: ${command}`

/** Signatures at the start, unless an offset is given. */
const kinds: readonly Kind[] = [
  { name: 'a PDF document', magic: '%PDF-' },
  { name: 'a zip archive', magic: 'PK\x03\x04', advice: unpack('unzip <file>') },
  { name: 'an empty zip archive', magic: 'PK\x05\x06' },
  { name: 'a 7z archive', magic: '7z\xbc\xaf\x27\x1c', advice: unpack('7z x <file>') },
  { name: 'a RAR archive', magic: 'Rar!\x1a\x07', advice: unpack('unrar x <file>') },
  { name: 'a gzip file', magic: [0x1f, 0x8b, 0x08], advice: unpack('gzip -d <file>') },
  { name: 'an xz file', magic: '\xfd7zXZ\0', advice: unpack('xz -d <file>') },
  { name: 'a zstd file', magic: [0x28, 0xb5, 0x2f, 0xfd], advice: unpack('zstd -d <file>') },
  { name: 'an lz4 file', magic: [0x04, 0x22, 0x4d, 0x18], advice: unpack('lz4 -d <file>') },
  {
    name: 'an lz4 file of the old format',
    magic: [0x02, 0x21, 0x4c, 0x18],
    advice: unpack('lz4 -d <file>'),
  },
  { name: 'an lzma file', magic: [0x5d, 0x00, 0x00], advice: unpack('xz --format=lzma -d <file>') },
  { name: 'an lzip file', magic: 'LZIP', advice: unpack('lzip -d <file>') },
  { name: 'an lzop file', magic: '\x89LZO\0\r\n\x1a\n', advice: unpack('lzop -d <file>') },
  { name: 'a file of compress', magic: [0x1f, 0x9d], advice: unpack('gzip -d <file>') },
  {
    name: 'an Android sparse image',
    magic: [0x3a, 0xff, 0x26, 0xed],
    advice: 'convert it: simg2img <file> disk.img',
  },
  { name: 'a cpio archive', magic: '070701' },
  { name: 'a Debian package or an ar archive', magic: '!<arch>\n' },
  { name: 'an RPM package', magic: [0xed, 0xab, 0xee, 0xdb] },
  { name: 'a Windows cabinet', magic: 'MSCF\0\0\0\0' },
  { name: 'a Windows imaging file (WIM)', magic: 'MSWIM\0\0\0' },
  { name: 'a Linux kernel', offset: 514, magic: 'HdrS' },
  { name: 'an executable (ELF)', magic: '\x7fELF' },
  { name: 'an executable (Mach-O) or a Java class', magic: [0xca, 0xfe, 0xba, 0xbe] },
  { name: 'an executable (Mach-O)', magic: [0xcf, 0xfa, 0xed, 0xfe] },
  { name: 'an MP4 or QuickTime video', offset: 4, magic: 'ftyp' },
  { name: 'a Matroska video', magic: [0x1a, 0x45, 0xdf, 0xa3] },
  { name: 'an AVI video or a WAV sound', magic: 'RIFF' },
  { name: 'an MP3 sound', magic: 'ID3' },
  {
    name: 'a document of an old office suite',
    magic: [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1],
  },
  { name: 'a PNG picture', magic: '\x89PNG\r\n\x1a\n' },
  { name: 'a JPEG picture', magic: [0xff, 0xd8, 0xff] },
  { name: 'a GIF picture', magic: 'GIF8' },
  { name: 'an SQLite database', magic: 'SQLite format 3\0' },
]

/** A tar, and so an OVA, holds the disk beside other files; what may lie in it is not for this service to choose. */
export function archiveProblem(windows: Windows): string | null {
  return isTar(windows) ? tarProblem(windows) : null
}

/** What the file plainly is when it is no disk; null when it does not say. */
export function otherProblem(windows: Windows): string | null {
  const kind = kinds.find(({ offset = 0, magic }) => windows.has(offset, magic))
  if (kind) return sentence(kind.name, kind.advice)
  if (isBzip2(windows)) return sentence('a bzip2 file', unpack('bzip2 -d <file>'))
  return textProblem(windows)
}

/** A Linux kernel is one, and has a boot sector's mark all the same. */
export function executableProblem(windows: Windows): string | null {
  return isWindowsExecutable(windows) ? sentence('an executable (EFI or Windows)') : null
}

function sentence(name: string, advice = 'send a disk image or an ISO'): string {
  return `the file is no disk image but ${name}; ${advice}`
}

/** "BZh", the block size, then a block (pi) or, of an empty file, the end (the root of pi). */
function isBzip2(windows: Windows): boolean {
  const blocks = ['1AY&SY', '\x17rE8P\x90']
  return windows.has(0, 'BZh') && blocks.some((block) => windows.has(4, block))
}

/** "MZ", and "PE" where the number at 60 points to. */
function isWindowsExecutable(windows: Windows): boolean {
  if (!windows.has(0, 'MZ') || !windows.holds(60, 4)) return false
  return windows.has(windows.u32le(60), 'PE\0\0')
}
