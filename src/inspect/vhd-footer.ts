import type { Windows } from './windows.ts'

/*
 * VHD footer, big-endian (formats.md; Virtual Hard Disk Image Format Specification 1.0)
 *
 *    0  8  cookie "conectix"                48  8  size of the disk
 *   16  8  offset of the dynamic header     60  4  type: 2 fixed, 3 dynamic, 4 differencing
 *                                           64  4  checksum
 */
export type Footer = {
  /** Where it stands. */
  readonly offset: number
  readonly dataOffset: bigint
  readonly size: bigint
  readonly type: number
  readonly checksum: number
}

export const footerLength = 512

export function readFooter(windows: Windows, offset: number): Footer {
  return {
    offset,
    dataOffset: windows.u64be(offset + 16),
    size: windows.u64be(offset + 48),
    type: windows.u32be(offset + 60),
    checksum: windows.u32be(offset + 64),
  }
}

/** The ones' complement of the sum of all bytes, those of the checksum itself (4, at `at`) left out. */
export function checksumOf(bytes: Uint8Array, at: number): number {
  const sum = bytes.reduce(
    (total, byte, index) => (index >= at && index < at + 4 ? total : total + byte),
    0,
  )
  return ~sum >>> 0
}
