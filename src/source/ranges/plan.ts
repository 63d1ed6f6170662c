import { Span } from './span.ts'

/** A far source takes about as long to hear of a request as it takes to send so much. */
const largest = 4 * 1024 * 1024
/** Smaller parts would cost more requests than they are worth. */
const smallest = 512 * 1024
/** Parts that are fetched ahead of the reader: one for each connection, and one for the first that is done. */
const mostAhead = 8
const aheadOf = (connections: number) => Math.min(connections + 1, mostAhead)

/**
 * Who fetches what. The reader takes the bytes in order, so what comes before its turn is held in memory, and lost when
 * the process dies or the import breaks off: at most eight parts of 4 MiB, and of a smaller file a 32nd, so that a break
 * never costs much of it. (The specification's larger parts are meant to be written in place.)
 */
export class Plan {
  readonly #size: number
  readonly #part: number
  readonly #spans: Span[] = []
  /** Those that a connection has given back. */
  readonly #left: Span[] = []
  /** Where the reader is. */
  #position: number
  /** Where the bytes begin that nobody was asked for. */
  #frontier: number
  #trial: { readonly long: Span; readonly scout: Span } | null = null

  /** From `offset` to the end of a file of `size` bytes. */
  constructor(offset: number, size: number) {
    this.#position = offset
    this.#frontier = offset
    this.#size = size
    this.#part = Math.min(Math.max(Math.ceil(size / 256), smallest), largest)
  }

  get isDone(): boolean {
    return this.#position === this.#size
  }

  /** Whether it is more than one part. */
  isLong({ at, end }: Span): boolean {
    return end - at > 2 * this.#part
  }

  /**
   * What another connection fetches, null when there is nothing for it. A single one gets all the rest, as if there were
   * no parts.
   */
  next(connections: number): Span | null {
    const left = this.#left.shift()
    if (left) return left
    if (this.#trial) return null
    const last = this.#spans.at(-1)
    if (last && this.isLong(last)) return this.#divide(last)
    if (this.#frontier === this.#size) return null
    if (connections === 1) return this.#append(this.#frontier, this.#size)
    const end = this.#endOf(this.#frontier)
    const limit = this.#position + aheadOf(connections) * this.#part
    return end <= limit ? this.#append(this.#frontier, end) : null
  }

  /** The connection of a long span goes on until another one has really begun with what lies before it. */
  #divide(long: Span): Span {
    const end = this.#endOf(long.at)
    long.lend(end)
    const scout = this.#append(end, this.#endOf(end))
    this.#trial = { long, scout }
    return scout
  }

  /** A connection has begun with a span. @returns whether it is the first beside another one */
  begun(span: Span): boolean {
    if (this.#trial?.scout !== span) return false
    this.#trial.long.grant()
    this.#trial = null
    return true
  }

  /** Nobody could be found beside the one connection. @returns false when the span is another one */
  recall(span: Span): boolean {
    if (this.#trial?.scout !== span) return false
    this.#spans.pop()
    this.#frontier = this.#size
    this.#trial.long.recall(this.#size)
    this.#trial = null
    return true
  }

  /** Another connection has to go on with it. */
  giveBack(span: Span): void {
    this.#left.push(span)
  }

  /** The next bytes for the reader, null when they have not come yet. */
  take(): Buffer | null {
    const chunk = this.#spans[0]?.take() ?? null
    this.#position += chunk?.length ?? 0
    while (this.#spans[0]?.isSpent) this.#spans.shift()
    return chunk
  }

  drop(): void {
    for (const span of this.#spans) span.drop()
  }

  #endOf(start: number): number {
    return Math.min(start + this.#part, this.#size)
  }

  #append(start: number, end: number): Span {
    const span = new Span(start, end)
    this.#spans.push(span)
    this.#frontier = end
    return span
  }
}
