import { createGunzip } from 'node:zlib'
import type { Decoder, Give } from './decoder.ts'
import { DecodingStream } from './decoding-stream.ts'
import { corrupt, cutOff } from './unsound.ts'
import { beginsWith, type Unwrapper } from './unwrapper.ts'
import { ZlibDecoder } from './zlib-decoder.ts'

const name = 'gzip'

/** Large pieces are half as fast again as zlib's own of 16 KiB (lessons.md, "Decompression and Node facts"). */
const chunkSize = 1_048_576

/**
 * zlib's gunzip reads concatenated members, and ends quietly at a zero byte behind one, whatever follows. Zeros up to the
 * end are padding; anything else behind the last member is no part of the archive and refused here.
 */
class GzipDecoder implements Decoder {
  readonly #gunzip: ZlibDecoder
  #written = 0
  /** Whether the last member has ended and a zero byte followed; zlib must not see what comes then. */
  #padded = false

  constructor(give: Give) {
    this.#gunzip = new ZlibDecoder(createGunzip({ chunkSize }), give)
  }

  async write(bytes: Buffer): Promise<void> {
    this.#written += bytes.length
    if (this.#padded) return this.#expectZeros(bytes)
    await this.#gunzip.write(bytes).catch((error: unknown) => this.#fail(error))
    const rest = bytes.subarray(bytes.length - (this.#written - this.#gunzip.consumed))
    this.#padded = rest.length > 0
    this.#expectZeros(rest)
  }

  end(): Promise<void> {
    return this.#gunzip.end().catch((error: unknown) => this.#fail(error))
  }

  close(): void {
    this.#gunzip.close()
  }

  #expectZeros(rest: Buffer): void {
    if (rest.every((byte) => byte === 0)) return
    throw corrupt(name, `something else follows it behind byte ${this.#gunzip.consumed}`)
  }

  #fail(error: unknown): never {
    const cut = error instanceof Error && 'code' in error && error.code === 'Z_BUF_ERROR'
    if (cut) throw cutOff(name, this.#written, error)
    const where = `at or behind byte ${this.#gunzip.consumed}`
    throw corrupt(name, `it is damaged, or something else follows it, ${where}`, error)
  }
}

export const gzip: Unwrapper = {
  name,
  // RFC 1952, 2.3: the two bytes and the one method there is, deflate.
  matches: (head) => beginsWith(head, [0x1f, 0x8b, 0x08]),
  open: () => new DecodingStream(name, (give) => new GzipDecoder(give)),
}
