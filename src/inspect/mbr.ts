import type { Windows } from './windows.ts'

export type MbrPartition = {
  readonly active: boolean
  readonly type: number
  /** In bytes; an MBR counts sectors of 512. */
  readonly offset: number
  readonly size: number
}

const sector = 512
const entriesOffset = 446

/*
 * Master boot record, little-endian
 *
 * 446  64  four entries of 16 bytes: 0 1 status (0x80 active, else 0)   4 1 type   8 4 first sector   12 4 sectors
 * 510   2  0x55 0xAA
 */
export function isBootSector(windows: Windows): boolean {
  return windows.has(510, [0x55, 0xaa])
}

/** Whether there is code at the start of the boot sector. */
export function hasBootCode(windows: Windows): boolean {
  return isBootSector(windows) && windows.u8(0) !== 0
}

/**
 * The partitions; null when the sector is no partition table. Boot sectors of FAT and NTFS end in the same two bytes, so
 * every entry must have a possible status and one must have a type and a size.
 */
export function readMbr(windows: Windows): readonly MbrPartition[] | null {
  if (!isBootSector(windows)) return null
  const offsets = [0, 1, 2, 3].map((index) => entriesOffset + index * 16)
  if (!offsets.every((offset) => [0, 0x80].includes(windows.u8(offset)))) return null
  const used = offsets.map((offset) => readEntry(windows, offset)).filter(isUsed)
  return used.length > 0 ? used : null
}

function readEntry(windows: Windows, offset: number): MbrPartition {
  return {
    active: windows.u8(offset) === 0x80,
    type: windows.u8(offset + 4),
    offset: windows.u32le(offset + 8) * sector,
    size: windows.u32le(offset + 12) * sector,
  }
}

function isUsed(partition: MbrPartition): boolean {
  return partition.type !== 0 && partition.size !== 0
}

const names: { readonly [type: number]: string } = {
  0x01: 'FAT12',
  0x04: 'FAT16',
  0x05: 'extended',
  0x06: 'FAT16',
  0x07: 'NTFS or exFAT',
  0x0b: 'FAT32',
  0x0c: 'FAT32',
  0x0e: 'FAT16',
  0x0f: 'extended',
  0x17: 'ISO 9660',
  0x82: 'Linux swap',
  0x83: 'Linux',
  0x8e: 'Linux LVM',
  0xa5: 'FreeBSD',
  0xa6: 'OpenBSD',
  0xcd: 'ISO 9660',
  0xee: 'GPT protective',
  0xef: 'EFI system',
  0xfd: 'Linux RAID',
}

export function mbrTypeName(type: number): string {
  return names[type] ?? `0x${type.toString(16).padStart(2, '0')}`
}
