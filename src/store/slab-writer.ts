import type { Digester } from './digester.ts'
import type { Bytes, Tap } from './store.ts'
import { flow } from './flow.ts'
import { WriteQueue, type Target } from './write-queue.ts'
import { giveSlab, slabSize, slabsPerTransfer, spareSlab, takeSlab } from './slabs.ts'

const zeros = Buffer.alloc(slabSize)

/** Bytes wait so long for their slab to become full, in milliseconds: a client that rests must not lose what it has sent. */
const fullWithin = 250

/**
 * What the bytes go into. In a file slabs of zeros are left out, so that an empty disk stays sparse (the digest is the same),
 * and what fills a slab slowly is written before it is full, and with it once more. A stream takes each byte once.
 */
export type Kind = 'file' | 'stream'

/** Appends to one file or stream through slabs: while one is being written and hashed the next is filled. */
export class SlabWriter {
  readonly #queue: WriteQueue
  readonly #kind: Kind
  readonly #onWritten: (contiguous: number) => void
  readonly #inFlight = new Set<Promise<void>>()
  #order: Promise<void> = Promise.resolve()
  #failure: { readonly error: unknown } | null = null
  #position = 0
  #filling: Filling | null = null
  #timer: NodeJS.Timeout | null = null

  /** @param onWritten told how many bytes from the start have got there, without a gap */
  constructor(target: Target, onWritten: (contiguous: number) => void, kind: Kind = 'file') {
    this.#queue = new WriteQueue(target)
    this.#onWritten = onWritten
    this.#kind = kind
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

  /**
   * Writes what came, while more may come, but for what only a whole slab can bring to a stream.
   * @returns how many bytes from the start were written
   */
  async keep(): Promise<number> {
    const filling = this.#kind === 'file' ? this.#filling : null
    if (filling && !filling.isEmpty) this.#writeHeld(filling)
    const written = filling ? this.position : this.#position
    await this.settled()
    return written
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
    if (this.#kind === 'file' && !filling.isEmpty) this.#writeHeldLater(filling)
    return null
  }

  #writeHeldLater(filling: Filling): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#writeHeld(filling)
    }, fullWithin).unref()
  }

  /** The queue writes in turn: the whole slab comes after this, over the same bytes. */
  #writeHeld(filling: Filling): void {
    const position = this.#position + filling.kept
    // The slab may be another's before these are written.
    const bytes = Buffer.from(filling.keep())
    const work = this.#process(bytes, position, [])
    this.#order = this.#settleAfter(this.#order, work, position + bytes.length)
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
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
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
    if (this.#kind === 'file' && bytes.equals(zeros.subarray(0, bytes.length))) return
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
  /** Bytes of the slab that were written before it is full. */
  #kept = 0

  constructor(flush: (slab: Buffer, length: number) => void) {
    this.#flush = flush
  }

  get length(): number {
    return this.#length
  }

  get kept(): number {
    return this.#kept
  }

  get isEmpty(): boolean {
    return this.#slab === null
  }

  begin(slab: Buffer): void {
    this.#slab = slab
  }

  /** What came since the last time. */
  keep(): Buffer {
    const from = this.#kept
    this.#kept = this.#length
    return this.#slab?.subarray(from, this.#length) ?? Buffer.alloc(0)
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
    this.#kept = 0
  }
}
