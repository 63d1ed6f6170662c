import type { Windows } from './windows.ts'

type Filesystem = {
  readonly name: string
  readonly is: (windows: Windows, start: number) => boolean
}

const at =
  (offset: number, magic: string | readonly number[]): Filesystem['is'] =>
  (windows, start) =>
    windows.has(start + offset, magic)

const jumps = new Set([0xeb, 0xe9])
const sectorSizes = new Set([512, 1024, 2048, 4096])

/** FAT has no magic of its own: a jump, sectors of a power of two, one or two tables, a medium, the boot sector's end. */
const isFat: Filesystem['is'] = (windows, start) => {
  if (!windows.holds(start, 512) || !windows.has(start + 510, [0x55, 0xaa])) return false
  const sector = windows.u16le(start + 11)
  return (
    jumps.has(windows.u8(start)) &&
    sectorSizes.has(sector) &&
    [1, 2].includes(windows.u8(start + 16)) &&
    windows.u8(start + 21) >= 0xf0
  )
}

const isLvm: Filesystem['is'] = (windows, start) =>
  [0, 1, 2, 3].some((sector) => {
    const label = start + sector * 512
    return windows.has(label, 'LABELONE') && windows.has(label + 24, 'LVM2 001')
  })

/** Its magic is short, so the block size (1048 4, a shift of 1 KiB) and the state (1082 2) must be possible as well. */
const isExt: Filesystem['is'] = (windows, start) =>
  windows.holds(start + 1024, 128) &&
  windows.has(start + 1080, [0x53, 0xef]) &&
  windows.u32le(start + 1048) <= 6 &&
  windows.u16le(start + 1082) <= 7

/*
 * Superblocks, by the offset of their magic in the partition
 *
 *      0  XFS "XFSB", LUKS, squashfs "hsqs"       1080  ext 0xEF53
 *      3  NTFS, exFAT                             1024  F2FS, HFS+
 *     32  APFS "NXSB"                             4086  swap, at the end of a page
 *    512  LVM "LABELONE", sectors 0 to 3          4096  Linux RAID 1.2
 *                                                65600  btrfs
 */
const filesystems: readonly Filesystem[] = [
  { name: 'NTFS', is: at(3, 'NTFS    ') },
  { name: 'exFAT', is: at(3, 'EXFAT   ') },
  { name: 'XFS', is: at(0, 'XFSB') },
  { name: 'squashfs', is: at(0, 'hsqs') },
  { name: 'LUKS', is: at(0, 'LUKS\xba\xbe') },
  { name: 'APFS', is: at(32, 'NXSB') },
  { name: 'LVM', is: isLvm },
  { name: 'swap', is: at(4086, 'SWAPSPACE2') },
  { name: 'Linux RAID', is: at(4096, [0xfc, 0x4e, 0x2b, 0xa9]) },
  { name: 'F2FS', is: at(1024, [0x10, 0x20, 0xf5, 0xf2]) },
  { name: 'HFS+', is: at(1024, 'H+\0\x04') },
  { name: 'btrfs', is: at(65_600, '_BHRfS_M') },
  { name: 'ext', is: isExt },
  { name: 'FAT', is: isFat },
]

/** The filesystem (or volume) that begins at `start`; null when none is known or its place stands in no window. */
export function filesystemAt(windows: Windows, start: number): string | null {
  const found = filesystems.find(({ is }) => is(windows, start))
  if (!found) return null
  return found.name === 'ext' ? extVersion(windows, start) : found.name
}

/*
 * ext superblock, little-endian: 1116 4 compatible features (0x4 journal), 1120 4 incompatible (0x40 extents, 0x80 64-bit,
 * 0x200 flexible groups). Only ext4 has the latter.
 */
function extVersion(windows: Windows, start: number): string {
  if (!windows.holds(start + 1116, 8)) return 'ext2'
  if ((windows.u32le(start + 1120) & 0x2c0) !== 0) return 'ext4'
  return (windows.u32le(start + 1116) & 0x4) === 0 ? 'ext2' : 'ext3'
}
