/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), a byte at a time: the checksums here cover 64 KiB at most. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
  return crc >>> 0
})

/** @param zeroed where 4 bytes stand that count as zeros: the checksum itself */
export function crc32c(bytes: Uint8Array, zeroed: number): number {
  let crc = 0xffff_ffff
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = at >= zeroed && at < zeroed + 4 ? 0 : (bytes[at] ?? 0)
    crc = (table[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  }
  return ~crc >>> 0
}
