const magic = 0xfd2f_b528
const descriptorEnd = 5

/*
 * Zstandard frame, little-endian (RFC 8878, 3.1.1)
 *
 *   0  4  magic 0xFD2FB528
 *   4  1  bits 6-7 length of the content size, 5 single segment (no window byte), 2 checksum, 0-1 length of the dictionary
 *   5  n  window (0 or 1), dictionary (0, 1, 2 or 4), content size (0, 1, 2, 4 or 8)
 *      blocks: 3 bytes, bit 0 the last one, 1-2 type (1 is one byte, repeated), 3-23 size; then that many bytes
 *      checksum, 4 bytes
 *
 * The decoder takes everything behind a frame for another one, but behind a cluster's frame lies anything up to the end of
 * the sector.
 */
export function zstdFrameLength(bytes: Buffer): number {
  if (bytes.length < descriptorEnd || bytes.readUInt32LE() !== magic) return bytes.length
  const descriptor = bytes.readUInt8(4)
  let at = descriptorEnd + headerLength(descriptor)
  while (at + 3 <= bytes.length) {
    const block = bytes.readUIntLE(at, 3)
    at += 3 + ((block & 0b110) === 0b010 ? 1 : block >>> 3)
    if ((block & 1) === 1) return at + ((descriptor & 0b100) === 0 ? 0 : 4)
  }
  return bytes.length
}

function headerLength(descriptor: number): number {
  const isSingle = (descriptor & 0b10_0000) !== 0
  const dictionary = [0, 1, 2, 4][descriptor & 0b11] ?? 0
  const content = [isSingle ? 1 : 0, 2, 4, 8][descriptor >>> 6] ?? 0
  return (isSingle ? 0 : 1) + dictionary + content
}
