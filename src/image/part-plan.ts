const mebibyte = 1024 * 1024

/** What every S3 server keeps to: parts of one upload, and bytes of a part that is not the last. */
export const partsInAll = 10_000
export const smallestPart = 5 * mebibyte
export const largestPart = 5 * 1024 * mebibyte

/** Below it the requests would be many for what they carry. */
const usualPart = 8 * mebibyte
/** Of bytes whose number nobody knows: 10 000 of them are 156 GiB, and then a further upload begins. */
const blindPart = 16 * mebibyte

/**
 * How large the parts of an upload are: all of them but the last, which some servers insist on.
 * @param size bytes that will come, null when nobody knows
 */
export function partSizeOf(size: number | null): number {
  if (size === null) return blindPart
  const even = Math.ceil(size / partsInAll / mebibyte) * mebibyte
  return Math.min(Math.max(usualPart, even), largestPart)
}
