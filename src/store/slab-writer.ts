import type { Digester } from './digester.ts'
import type { Bytes } from './store.ts'
import type { StagedFile } from './staged-file.ts'
import { WriteQueue } from './write-queue.ts'
import { giveSlab, slabSize, slabsPerTransfer, spareSlab, takeSlab } from './slabs.ts'

const zeros = Buffer.alloc(slabSize)

/**
 * Appends to one file through slabs: while one is being written and hashed the next is filled. Slabs of zeros are left
 * out, so that an empty disk stays a sparse file; the digest is the same.
 */
export class SlabWriter {
  readonly #queue: WriteQueue
  readonly #onWritten: (contiguous: number) => void
  readonly #inFlight = new Set<Promise<void>>()
  #order: Promise<void> = Promise.resolve()
  #failure: { readonly error: unknown } | null = null
  #position = 0

  /** @param onWritten told how many bytes from the start have reached the file, without a gap */
  constructor(file: StagedFile, onWritten: (contiguous: number) => void) {
    this.#queue = new WriteQueue(file)
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

  /** Waits for everything in flight, and tells what went wrong with any of it. */
  async settled(): Promise<void> {
    await this.#order
    this.#throwFailure()
  }

  async #fill(filling: Filling, chunk: Uint8Array, from: number): Promise<number> {
    if (filling.isEmpty) filling.begin(await this.#slab())
    return filling.take(chunk, from)
  }

  /** Waits for nothing but what this transfer has in flight, so that no transfer can hold up another. */
  async #slab(): Promise<Buffer> {
    for (;;) {
      const slab = this.#inFlight.size < slabsPerTransfer ? takeSlab() : null
      if (slab) return slab
      if (this.#inFlight.size === 0) return spareSlab()
      await Promise.race(this.#inFlight)
    }
  }

  #flush(slab: Buffer, length: number, digesters: readonly Digester[]): void {
    const bytes = slab.subarray(0, length)
    const position = this.#position
    this.#position += length
    const work = this.#process(bytes, position, digesters).finally(() => {
      giveSlab(slab)
      this.#inFlight.delete(work)
    })
    this.#inFlight.add(work)
    this.#order = this.#settleAfter(this.#order, work, this.#position)
  }

  /** Never throws: a failure is kept for the next write. */
  async #process(bytes: Buffer, position: number, digesters: readonly Digester[]): Promise<void> {
    const hashed = digesters.map((digester) => digester.update(bytes))
    const all = await Promise.allSettled([this.#store(bytes, position), ...hashed])
    const failed = all.find((one) => one.status === 'rejected')
    if (failed) this.#failure ??= { error: failed.reason }
  }

  async #settleAfter(earlier: Promise<void>, work: Promise<void>, end: number): Promise<void> {
    await earlier
    await work
    if (!this.#failure) this.#onWritten(end)
  }

  async #store(bytes: Buffer, position: number): Promise<void> {
    if (bytes.equals(zeros.subarray(0, bytes.length))) return
    await this.#queue.write(bytes, position)
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

  begin(slab: Buffer): void {
    this.#slab = slab
  }

  /** Copies what fits; returns how many bytes that was. */
  take(chunk: Uint8Array, from: number): number {
    const length = Math.min(chunk.length - from, slabSize - this.#length)
    this.#slab?.set(chunk.subarray(from, from + length), this.#length)
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
