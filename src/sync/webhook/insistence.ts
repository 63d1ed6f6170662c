/** Milliseconds. */
const longest = 60_000
/** What was written is not undone any more when it has lasted for so long. */
const settled = 10 * 60_000
/** So many writings in a row are no chance. */
const often = 5

/** How fast somebody who undoes what was written is answered: slower each time, so that two who disagree keep nobody busy. */
export class Insistence {
  readonly #first: number
  #times = 0
  #last = Number.NEGATIVE_INFINITY

  /** @param first milliseconds that a change waits for as long as nobody disagrees */
  constructor(first: number) {
    this.#first = first
  }

  /** Milliseconds that a change has to wait. */
  get wait(): number {
    return Math.min(longest, this.#first * 2 ** Math.max(0, this.#times - 1))
  }

  /**
   * Something was written.
   * @param now milliseconds since 1970
   * @returns whether it is time to say that somebody else undoes it, which is once
   */
  wrote(now: number): boolean {
    this.#times = Math.abs(now - this.#last) > settled ? 1 : Math.min(this.#times + 1, 30)
    this.#last = now
    return this.#times === often
  }
}
