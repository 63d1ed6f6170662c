import { constants, createZstdDecompress } from 'node:zlib'
import type { Decoder, Give } from './decoder.ts'
import { DecodingStream } from './decoding-stream.ts'
import { corrupt, mostWindow } from './unsound.ts'
import type { Unwrapper } from './unwrapper.ts'
import { ZlibDecoder } from './zlib-decoder.ts'
import { frameMagic, isSkippable, ZstdFrames } from './zstd-frames.ts'

const name = 'zstd'

/** As for gzip; here other sizes made no difference that could be measured. */
const chunkSize = 1_048_576

const params = { [constants.ZSTD_d_windowLogMax]: Math.log2(mostWindow) }

/**
 * One decoder for all frames, given each frame for itself: the walk knows where one ends, and the decoder begins another
 * with the next bytes. One with bytes behind its frame would end instead.
 */
class ZstdDecoder implements Decoder {
  readonly #frames = new ZstdFrames()
  readonly #zstd: ZlibDecoder
  #given = 0

  constructor(give: Give) {
    this.#zstd = new ZlibDecoder(createZstdDecompress({ chunkSize, params }), give)
  }

  async write(bytes: Buffer): Promise<void> {
    for (const piece of this.#frames.pieces(bytes)) {
      await this.#zstd.write(piece).catch((error: unknown) => this.#fail(error))
      this.#given += piece.length
      if (this.#zstd.consumed !== this.#given) this.#fail(null)
    }
  }

  async end(): Promise<void> {
    this.#frames.end()
    await this.#zstd.end().catch((error: unknown) => this.#fail(error))
  }

  close(): void {
    this.#zstd.close()
  }

  #fail(cause: unknown): never {
    throw corrupt(name, `it is damaged before byte ${this.#frames.position}`, cause)
  }
}

/**
 * A skippable frame alone proves nothing: a zstd frame must follow. Where it goes beyond what is seen here, the decoder
 * finds out.
 */
function matches(head: Uint8Array): boolean {
  const view = Buffer.from(head.buffer, head.byteOffset, head.byteLength)
  let at = 0
  while (at + 8 <= view.length && isSkippable(view.readUInt32LE(at))) {
    at += 8 + view.readUInt32LE(at + 4)
  }
  if (at + 4 <= view.length) return view.readUInt32LE(at) === frameMagic
  return at > 0
}

export const zstd: Unwrapper = {
  name,
  matches,
  open: () => new DecodingStream(name, (give) => new ZstdDecoder(give)),
}
