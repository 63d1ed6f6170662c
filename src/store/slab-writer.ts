import type { Digester } from './digester.ts'
import type { Bytes, Tap } from './store.ts'
import { flow } from './flow.ts'
import { WriteQueue, type Target } from './write-queue.ts'
import { giveSlab, slabSize, slabsPerTransfer, spareSlab, takeSlab } from './slabs.ts'

const zeros = Buffer.alloc(slabSize)

/**
 * Appends to one file through slabs: while one is being written and hashed the next is filled. Slabs of zeros are left
 * out, so that an empty disk stays a sparse file; the digest is the same.
 */
export class SlabWriter {
  readonly #queue: WriteQueue
  readonly #leavesZerosOut: boolean
  readonly #onWritten: (contiguous: number) => void
  readonly #inFlight = new Set<Promise<void>>()
  #order: Promise<void> = Promise.resolve()
  #failure: { readonly error: unknown } | null = null
  #position = 0
  #filling: Filling | null = null

  /**
   * @param onWritten told how many bytes from the start have reached the file, without a gap
   * @param zeros whether slabs of zeros are written like others, where nothing reads as zeros by itself
   */
  constructor(
    file: Target,
    onWritten: (contiguous: number) => void,
    zeros: 'left out' | 'written' = 'left out',
  ) {
    this.#queue = new WriteQueue(file)
    this.#onWritten = onWritten
    this.#leavesZerosOut = zeros === 'left out'
  }

  /** Bytes taken in, those that fill a slab among them. */
  get position(): number {
    return this.#position + (this.#filling?.length ?? 0)
  }

  startAt(position: number): void {
    this.#position = position
  }

  /** Takes a body in to its end; resolves when all of it has been written and hashed. */
  async write(
    body: Bytes,
    digesters: readonly Digester[],
    signal: AbortSignal,
    tap: Tap | null = null,
  ): Promise<void> {
    const filling = new Filling((slab, length) => this.#flush(slab, length, digesters))
    this.#filling = filling
    const take = (chunk: Uint8Array): Promise<void> | null => {
      signal.throwIfAborted()
      this.#throwFailure()
      const wait = tap?.(chunk)
      return wait ? this.#takeAfter(wait, filling, chunk) : this.#take(filling, chunk, 0)
    }
    try {
      await flow(body, take)
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

  /** The rest of a chunk; at once as long as there is memory for it. */
  #take(filling: Filling, chunk: Uint8Array, start: number): Promise<void> | null {
    for (let from = start; from < chunk.length;) {
      const slab = filling.isEmpty ? this.#slab() : null
      if (filling.isEmpty && !slab) return this.#takeLater(filling, chunk, from)
      if (slab) filling.begin(slab)
      from += filling.take(chunk, from)
    }
    return null
  }

  async #takeAfter(wait: Promise<void>, filling: Filling, chunk: Uint8Array): Promise<void> {
    await wait
    await this.#take(filling, chunk, 0)
  }

  async #takeLater(filling: Filling, chunk: Uint8Array, from: number): Promise<void> {
    await Promise.race(this.#inFlight)
    await this.#take(filling, chunk, from)
  }

  /** Null while there is something to wait for: what this transfer itself has in flight, so that none holds up another. */
  #slab(): Buffer | null {
    const slab = this.#inFlight.size < slabsPerTransfer ? takeSlab() : null
    return slab ?? (this.#inFlight.size === 0 ? spareSlab() : null)
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
    if (this.#leavesZerosOut && bytes.equals(zeros.subarray(0, bytes.length))) return
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

  get length(): number {
    return this.#length
  }

  get isEmpty(): boolean {
    return this.#slab === null
  }

  begin(slab: Buffer): void {
    this.#slab = slab
  }

  /** Copies what fits; returns how many bytes that was. */
  take(chunk: Uint8Array, from: number): number {
    const slab = this.#slab
    if (!slab) return 0
    const length = Math.min(chunk.length - from, slab.length - this.#length)
    slab.set(chunk.subarray(from, from + length), this.#length)
    this.#length += length
    if (this.#length === slab.length) this.end()
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
