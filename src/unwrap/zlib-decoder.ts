import type { Transform } from 'node:stream'
import type { Decoder, Give } from './decoder.ts'

/** One of node:zlib's, which work in libuv's threads. What it fails with is passed on as it is. */
export class ZlibDecoder implements Decoder {
  readonly #stream: Transform & { readonly bytesWritten: number }
  readonly #passing: Promise<void>
  /** Of the write that is under way: zlib tells it of no failure, only the stream. */
  #fail: (error: unknown) => void = () => {}

  constructor(stream: Transform & { readonly bytesWritten: number }, give: Give) {
    this.#stream = stream
    this.#passing = pass(stream, give)
    this.#passing.catch((error: unknown) => this.#fail(error))
  }

  /** Bytes that were not only taken but read. */
  get consumed(): number {
    return this.#stream.bytesWritten
  }

  write(bytes: Buffer): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#fail = reject
    this.#stream.write(bytes, (error) => (error ? reject(error) : resolve()))
    return promise
  }

  async end(): Promise<void> {
    this.#stream.end()
    await this.#passing
  }

  close(): void {
    this.#stream.destroy()
  }
}

async function pass(pieces: AsyncIterable<Uint8Array>, give: Give): Promise<void> {
  for await (const piece of pieces) await give(piece)
}
