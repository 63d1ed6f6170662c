import type { Inspection } from '../inspect/inspection.ts'

/** A disk's bytes on their way through an inspection, a stretch at a time. */
export class Passing {
  readonly #bytes: AsyncIterator<Uint8Array>
  readonly #inspection: Inspection
  #left: Uint8Array | null = null
  #isOver = false

  constructor(bytes: AsyncIterable<Uint8Array>, inspection: Inspection) {
    this.#bytes = bytes[Symbol.asyncIterator]()
    this.#inspection = inspection
  }

  /** Whether all bytes have passed, as far as was asked for. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** The bytes before the place where they are looked at next, or all that follow. */
  async *stretch(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const room = (this.#inspection.due ?? Infinity) - this.#inspection.received
      if (room === 0) return
      const chunk = await this.#next()
      if (!chunk) return
      const piece = chunk.subarray(0, room)
      if (piece.length < chunk.length) this.#left = chunk.subarray(room)
      this.#inspection.pass(piece)
      yield piece
      // The writer copies a chunk before it asks for the next.
      free(piece)
    }
  }

  /** All of a stretch that is short. */
  async whole(): Promise<Buffer> {
    const chunks: Buffer[] = []
    for await (const chunk of this.stretch()) chunks.push(Buffer.from(chunk))
    return Buffer.concat(chunks)
  }

  async close(): Promise<void> {
    await this.#bytes.return?.()
  }

  async #next(): Promise<Uint8Array | null> {
    const left = this.#left
    this.#left = null
    if (left) return left
    const { value, done } = await this.#bytes.next()
    if (!done) return value
    this.#isOver = true
    return null
  }
}

/** Gives memory back at once, where nothing else lies in it. */
export function free({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) buffer.transfer(0)
}
