import { beginsWith, type Unread } from './unwrapper.ts'

const zstdFrame = [0x28, 0xb5, 0x2f, 0xfd]

/** A skippable frame alone proves nothing: a zstd frame must follow (RFC 8878, 3.1.2). */
function isZstd(head: Uint8Array): boolean {
  const view = Buffer.from(head.buffer, head.byteOffset, head.byteLength)
  let offset = 0
  while (offset + 8 <= view.length && isSkippable(view, offset)) {
    offset += 8 + view.readUInt32LE(offset + 4)
  }
  return beginsWith(head, zstdFrame, offset)
}

function isSkippable(view: Buffer, offset: number): boolean {
  return (view.readUInt32LE(offset) & 0xff_ff_ff_f0) >>> 0 === 0x18_4d_2a_50
}

/** "BZh", the block size 1 to 9, then a block (pi) or, of an empty file, the end (the root of pi). */
function isBzip2(head: Uint8Array): boolean {
  const size = head[3] ?? 0
  if (!beginsWith(head, [0x42, 0x5a, 0x68]) || size < 0x31 || size > 0x39) return false
  return (
    beginsWith(head, [0x31, 0x41, 0x59, 0x26, 0x53, 0x59], 4) ||
    beginsWith(head, [0x17, 0x72, 0x45, 0x38, 0x50, 0x90], 4)
  )
}

/** Compressions that are recognised and not read. */
export const unread: readonly Unread[] = [
  {
    name: 'xz',
    command: 'xz -d',
    matches: (head) => beginsWith(head, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]),
  },
  { name: 'zstd', command: 'zstd -d', matches: isZstd },
  { name: 'bzip2', command: 'bzip2 -d', matches: isBzip2 },
  {
    name: 'lz4',
    command: 'lz4 -d',
    matches: (head) => beginsWith(head, [0x04, 0x22, 0x4d, 0x18]),
  },
]
