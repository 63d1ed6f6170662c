import type { FileHandle } from 'node:fs/promises'
import type { Digester } from './digester.ts'
import type { Bytes } from './store.ts'
import { giveSlab, slabSize, slabsPerTransfer, takeSlab } from './slabs.ts'

const zeros = Buffer.alloc(slabSize)

/**
 * Appends to one file through slabs: while one is being written and hashed the next is filled. Slabs of zeros are left
 * out, so that an empty disk stays a sparse file; the digest is the same.
 */
export class SlabWriter {
  readonly #file: FileHandle
  readonly #onWritten: (contiguous: number) => void
  readonly #inFlight = new Set<Promise<void>>()
  #order: Promise<void> = Promise.resolve()
  #failure: { readonly error: unknown } | null = null
  #position = 0

  /** @param onWritten told how many bytes from the start have reached the file, without a gap */
  constructor(file: FileHandle, onWritten: (contiguous: number) => void) {
    this.#file = file
    this.#onWritten = onWritten
  }

  get position(): number {
    return this.#position
  }

  startAt(position: number): void {
    this.#position = position
  }

  /** Takes a body in to its end; resolves when all of it has been written and hashed. */
  async write(body: Bytes, digesters: readonly Digester[], signal: AbortSignal): Promise<void> {
    const filling = new Filling((slab, length) => this.#flush(slab, length, digesters))
    try {
      for await (const chunk of body) {
        signal.throwIfAborted()
        this.#throwFailure()
        for (let from = 0; from < chunk.length;) from += await this.#fill(filling, chunk, from)
      }
    } finally {
      filling.end()
      await this.settle()
    }
    this.#throwFailure()
  }

  /** Waits for everything in flight; never throws. */
  async settle(): Promise<void> {
    await this.#order
  }

  async #fill(filling: Filling, chunk: Uint8Array, from: number): Promise<number> {
    if (filling.isEmpty && this.#inFlight.size >= slabsPerTransfer)
      await Promise.race(this.#inFlight)
    return filling.take(chunk, from, this.#inFlight.size)
  }

  #flush(slab: Buffer, length: number, digesters: readonly Digester[]): void {
    const bytes = slab.subarray(0, length)
    const position = this.#position
    this.#position += length
    const work = Promise.all([
      this.#store(bytes, position),
      ...digesters.map((digester) => digester.update(bytes)),
    ]).then(
      () => giveSlab(slab),
      (error: unknown) => this.#fail(error, slab),
    )
    this.#track(work, this.#position)
  }

  #track(work: Promise<void>, end: number): void {
    this.#inFlight.add(work)
    this.#order = this.#settleAfter(this.#order, work, end)
  }

  async #settleAfter(earlier: Promise<void>, work: Promise<void>, end: number): Promise<void> {
    await earlier
    await work
    this.#inFlight.delete(work)
    if (!this.#failure) this.#onWritten(end)
  }

  async #store(bytes: Buffer, position: number): Promise<void> {
    if (bytes.equals(zeros.subarray(0, bytes.length))) return
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.#file.write(
        bytes,
        done,
        bytes.length - done,
        position + done,
      )
      done += bytesWritten
    }
  }

  #fail(error: unknown, slab: Buffer): void {
    this.#failure ??= { error }
    giveSlab(slab)
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error
  }
}

/** The slab that is being filled. */
class Filling {
  readonly #flush: (slab: Buffer, length: number) => void
  #slab: Buffer | null = null
  #length = 0

  constructor(flush: (slab: Buffer, length: number) => void) {
    this.#flush = flush
  }

  get isEmpty(): boolean {
    return this.#slab === null
  }

  /** Copies what fits; returns how many bytes that was. */
  async take(chunk: Uint8Array, from: number, held: number): Promise<number> {
    this.#slab ??= await takeSlab(held)
    const length = Math.min(chunk.length - from, slabSize - this.#length)
    this.#slab.set(chunk.subarray(from, from + length), this.#length)
    this.#length += length
    if (this.#length === slabSize) this.end()
    return length
  }

  end(): void {
    if (!this.#slab) return
    const slab = this.#slab
    this.#slab = null
    this.#flush(slab, this.#length)
    this.#length = 0
  }
}
