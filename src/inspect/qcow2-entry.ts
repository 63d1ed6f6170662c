/*
 * Entries of L1, L2 and bitmap tables, big-endian (qemu docs/interop/qcow2.txt, "Cluster mapping"). They are read as two
 * words of 32 bits, since a BigInt for each of the millions of entries is ten times slower:
 *
 *            high word                                    low word
 *   L1, L2   31 refcount is 1   30 compressed (L2)        0-8 reserved, but in L2 0: reads as zeros
 *            24-29 reserved (L1: 24-30)
 *            0-23 bits 32-55 of the offset                9-31 of the offset
 *
 *   L2, compressed, with x = 62 - (cluster bits - 8)
 *            0 to x-33 bits 32 to x-1 of the offset       0-31 of the offset
 *            x-32 to 29 sectors behind the first
 */
export const offsetBits = 0x00ff_ffff
export const wordSize = 2 ** 32
/** Of an L2 entry's high word, what a standard cluster has not: the compressed bit and reserved ones. */
export const special = 0x7f00_0000
export const sector = 512

/** The place in the file of an L2 table, a standard cluster or a bitmap's cluster; 0 for none. */
export function hostOffset(high: number, low: number): number {
  return (high & offsetBits) * wordSize + ((low & ~0x1ff) >>> 0)
}

/** Reserved bits that are set. */
export const reservedInL1 = (high: number, low: number) => (high & 0x7f00_0000) | (low & 0x1ff)
export const reservedInL2 = (high: number, low: number) => (high & 0x3f00_0000) | (low & 0x1fe)
export const reservedInBitmap = (high: number, low: number) => (high & 0xff00_0000) | (low & 0x1fe)

export const isCompressed = (high: number) => (high & 0x4000_0000) !== 0
export const readsAsZeros = (low: number) => (low & 1) !== 0

/** Bits of the offset in the high word: 29 for the smallest clusters, 17 for the largest. */
const highBits = (clusterBits: number) => 38 - clusterBits

/** Where compressed bytes begin, in the file. */
export function compressedOffset(high: number, low: number, clusterBits: number): number {
  return (high & ((1 << highBits(clusterBits)) - 1)) * wordSize + low
}

/** Where the last sector begins that holds some of the compressed bytes; where in it they end, only they know. */
export function lastSector(high: number, low: number, clusterBits: number): number {
  const first = compressedOffset(high, (low & ~(sector - 1)) >>> 0, clusterBits)
  return first + ((high & 0x3fff_ffff) >>> highBits(clusterBits)) * sector
}
