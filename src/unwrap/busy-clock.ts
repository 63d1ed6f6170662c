/** Milliseconds that a decoder may be at work, as a whole and for each byte that goes in or comes out. */
export type Allowance = { readonly base: number; readonly perByte: number }

/**
 * The slowest decoder, bzip2, gives some 5 MiB in a second of a busy machine's processor time; a fifth of that is no
 * honest file but one made to cost much. The first minute is free, so that a start on a loaded machine harms nobody.
 */
export const usualAllowance: Allowance = { base: 60_000, perByte: 1000 / (1024 * 1024) }

/** Measures how long a decoder works: not while it waits for input or for its reader. */
export class BusyClock {
  readonly #perByte: number
  readonly #onOver: (spent: number) => void
  #allowed: number
  #spent = 0
  #since: number | null = null
  #timer: NodeJS.Timeout | undefined

  /** @param onOver told of the milliseconds spent once they are too many, also in the middle of work that never ends */
  constructor({ base, perByte }: Allowance, onOver: (spent: number) => void) {
    this.#allowed = base
    this.#perByte = perByte
    this.#onOver = onOver
  }

  /** Bytes went in or came out. */
  pass(bytes: number): void {
    this.#allowed += bytes * this.#perByte
  }

  /** Milliseconds in which the decoder had no processor. */
  forgive(waited: number): void {
    this.#spent -= waited
  }

  start(): void {
    if (this.#since !== null) return
    this.#since = performance.now()
    const left = Math.max(0, this.#allowed - this.#spent)
    this.#timer = setTimeout(() => this.#look(), left).unref()
  }

  stop(): void {
    if (this.#since === null) return
    this.#spent += performance.now() - this.#since
    this.#since = null
    clearTimeout(this.#timer)
  }

  /** A timer may be early by a part of a millisecond, and bytes may have passed since it was set. */
  #look(): void {
    this.stop()
    if (this.#allowed - this.#spent < 1) this.#onOver(this.#spent)
    else this.start()
  }
}
