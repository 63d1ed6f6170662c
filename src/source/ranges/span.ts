/** A stretch of the file, fetched by one connection at a time, and those of its bytes that the reader has not taken yet. */
export class Span {
  readonly start: number
  #end: number
  #at: number
  #chunks: Buffer[] = []
  #held = 0
  #loan: PromiseWithResolvers<void> | null = null
  #drained: PromiseWithResolvers<void> | null = null

  /** From `start` to before `end`. */
  constructor(start: number, end: number) {
    this.start = start
    this.#end = end
    this.#at = start
  }

  /** The next byte to come. */
  get at(): number {
    return this.#at
  }

  get end(): number {
    return this.#end
  }

  /** Bytes that the reader has not taken. */
  get held(): number {
    return this.#held
  }

  /** Nothing more has to come. */
  get isWhole(): boolean {
    return this.#at === this.#end && this.#loan === null
  }

  /** Nothing more will be given. */
  get isSpent(): boolean {
    return this.isWhole && this.#held === 0
  }

  /** Settles when it is known who fetches the end; null when that is known. */
  get loan(): Promise<void> | null {
    return this.#loan?.promise ?? null
  }

  /** Leaves the bytes from `end` on to another one, if that one can get them. */
  lend(end: number): void {
    this.#end = end
    this.#loan = Promise.withResolvers()
  }

  /** The other one fetches them. */
  grant(): void {
    this.#loan?.resolve()
    this.#loan = null
  }

  /** The other one cannot. */
  recall(end: number): void {
    this.#end = end
    this.grant()
  }

  /** @returns what of the chunk lies behind the end */
  put(chunk: Buffer): Buffer {
    const own = chunk.subarray(0, this.#end - this.#at)
    if (own.length > 0) this.#chunks.push(own)
    this.#at += own.length
    this.#held += own.length
    return chunk.subarray(own.length)
  }

  /** The next bytes for the reader, null when they have not come yet. */
  take(): Buffer | null {
    const chunk = this.#chunks.shift() ?? null
    this.#held -= chunk?.length ?? 0
    if (this.#held === 0) this.#drained?.resolve()
    return chunk
  }

  /** Settles when the reader has taken all that has come; null when it has. */
  get drained(): Promise<void> | null {
    if (this.#held === 0) return null
    this.#drained = Promise.withResolvers()
    return this.#drained.promise
  }

  /** Nobody wants the bytes any more; whoever waits goes on. */
  drop(): void {
    this.#chunks = []
    this.#held = 0
    this.#drained?.resolve()
    this.grant()
  }
}
