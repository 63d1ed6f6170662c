import type { Windows } from './windows.ts'

/*
 * VMDK sparse extent, little-endian; offsets and sizes count sectors of 512 bytes (VMware Virtual Disk Format 5.0,
 * "Hosted Sparse Extent Header"; formats.md)
 *
 *   0  4  magic "KDMV"                       44  4  entries of a grain table
 *   4  4  version, 1 to 3                    48  8  second grain directory
 *   8  4  flags, see `flags`                 56  8  grain directory, or `atEnd`
 *  12  8  size of the disk                   64  8  where the grains begin
 *  20  8  size of a grain                    72  1  unclean shutdown
 *  28  8  descriptor offset                  73  4  "\n \r\n", spoilt where a text transfer changed the file
 *  36  8  descriptor size                    77  2  compression, 0 none, 1 deflate
 */
export type Header = {
  readonly version: number
  readonly flags: number
  readonly capacity: bigint
  readonly grain: bigint
  readonly descriptorOffset: bigint
  readonly descriptorSize: bigint
  readonly tableEntries: number
  readonly secondDirectory: bigint
  readonly directory: bigint
  readonly grainsOffset: bigint
  readonly lineEnds: string
  readonly compression: number
}

export const sector = 512
export const magic = 'KDMV'
export const headerLength = 512
export const lineEnds = '\n \r\n'
/** A grain directory there means that the file's last header, the footer, tells where it is. */
export const atEnd = 2n ** 64n - 1n

export const flags = {
  lineEnds: 1 << 0,
  secondDirectory: 1 << 1,
  zeroGrains: 1 << 2,
  compressed: 1 << 16,
  markers: 1 << 17,
} as const

export function has({ flags: all }: Header, flag: keyof typeof flags): boolean {
  return (all & flags[flag]) !== 0
}

/** The header's fields, unjudged. */
export function readHeader(windows: Windows, at = 0): Header {
  return {
    version: windows.u32le(at + 4),
    flags: windows.u32le(at + 8),
    capacity: windows.u64le(at + 12),
    grain: windows.u64le(at + 20),
    descriptorOffset: windows.u64le(at + 28),
    descriptorSize: windows.u64le(at + 36),
    tableEntries: windows.u32le(at + 44),
    secondDirectory: windows.u64le(at + 48),
    directory: windows.u64le(at + 56),
    grainsOffset: windows.u64le(at + 64),
    lineEnds: windows.text(at + 73, 4),
    compression: windows.u16le(at + 77),
  }
}

/** Entries of the grain directory: one for each grain table that the disk needs. */
export function directoryEntries({ capacity, grain, tableEntries }: Header): bigint {
  const covered = grain * BigInt(tableEntries)
  return (capacity + covered - 1n) / covered
}
