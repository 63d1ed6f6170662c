import type { Region, Stranger } from './inspector.ts'
import { vmdkDescriptor } from './vmdk-descriptor.ts'
import type { Windows } from './windows.ts'

type Magic = string | readonly number[]

const start: Region = { from: 'start', offset: 0, length: 512 }
const end: Region = { from: 'end', offset: 512, length: 512 }

/** Refused until it is read, or for good; qemu-img can read it when it is told the format. */
function convertible(title: string, qemuFormat: string, magic: Magic, offset = 0): Stranger {
  const command = `qemu-img convert -f ${qemuFormat} -O qcow2 <file> disk.qcow2`
  return {
    title,
    code: 'UNSUPPORTED_FORMAT',
    message: `the file is a disk in ${title} format, which is not accepted; convert it: ${command}`,
    regions: [start],
    matches: (windows) => windows.has(offset, magic),
  }
}

function atTheEnd(windows: Windows, distance: number, magic: Magic): boolean {
  return windows.ended && windows.has(windows.received - distance, magic)
}

/** Before 2004 the footer was 511 bytes long. A dynamic image of that time has a copy at its start, which is read. */
const earlyVhd: Stranger = {
  ...convertible('VHD (before 2004)', 'vpc', 'conectix'),
  regions: [start, end],
  matches: (windows) => !windows.has(0, 'conectix') && atTheEnd(windows, 511, 'conectix'),
}

const dmg: Stranger = {
  ...convertible('Apple DMG', 'dmg', 'koly'),
  regions: [start, end],
  matches: (windows) => atTheEnd(windows, 512, 'koly'),
}

const luks: Stranger = {
  title: 'LUKS',
  code: 'ENCRYPTED_IMAGE',
  message:
    'the disk is encrypted with LUKS as a whole and nobody could start from it; decrypt it first ' +
    '(cryptsetup open <file> disk, then copy /dev/mapper/disk)',
  regions: [start],
  matches: (windows) => windows.has(0, 'LUKS\xba\xbe'),
}

/** Signatures of formats.md, "Byte facts"; the offset is 0 unless it is given. */
export const recognised: readonly Stranger[] = [
  vmdkDescriptor,
  convertible('VMDK (COWD)', 'vmdk', 'COWD'),
  // The constant 0xCAFEBABE is 64 bits long and little-endian there; the bytes CA FE BA BE begin a Mach-O or Java file.
  convertible('VMDK (seSparse)', 'vmdk', [0xbe, 0xba, 0xfe, 0xca, 0, 0, 0, 0]),
  earlyVhd,
  convertible('qcow (version 1)', 'qcow', 'QFI\xfb\0\0\0\x01'),
  convertible('QED', 'qed', 'QED\0'),
  convertible('Parallels', 'parallels', 'WithoutFreeSpace'),
  convertible('Parallels (ploop)', 'parallels', 'WithouFreSpacExt'),
  convertible('Bochs', 'bochs', 'Bochs Virtual HD Image'),
  convertible('cloop', 'cloop', '#!/bin/sh\n#V2.0 Format\n'),
  dmg,
  luks,
]
