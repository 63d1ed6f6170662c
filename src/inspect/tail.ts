/** Covers every footer of the formats: VHD and DMG (512 bytes), VMDK (1536 bytes), a backup GPT (4096 bytes). */
export const tailLength = 65_536

/** The last `tailLength` bytes of a stream, kept in a ring: each byte lives at its own position modulo the length. */
export class Tail {
  readonly #ring = Buffer.alloc(tailLength)

  /** Copies what matters of `chunk`, which stands at `offset` in the stream. */
  push(chunk: Uint8Array, offset: number): void {
    const last = chunk.subarray(Math.max(0, chunk.length - tailLength))
    const at = (offset + chunk.length - last.length) % tailLength
    this.#ring.set(last.subarray(0, tailLength - at), at)
    this.#ring.set(last.subarray(tailLength - at), 0)
  }

  /** The end of a stream of `total` bytes, in order. */
  bytes(total: number): Buffer {
    if (total <= tailLength) return this.#ring.subarray(0, total)
    const at = total % tailLength
    return Buffer.concat([this.#ring.subarray(at), this.#ring.subarray(0, at)])
  }
}
