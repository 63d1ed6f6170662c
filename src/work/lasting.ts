import { endOf } from '../unless.ts'

/** How long an answer serves at least, in milliseconds. */
const freshFor = 5000
/** It serves so many times as long as it took: with a million blobs sums take seconds. */
const timesTaken = 20

/** What is costly to find out: made once for all who ask at the same time, and serving for a while. */
export class Lasting<Answer> {
  readonly #make: () => Promise<Answer>
  readonly #now: () => number
  #made: Answer | null = null
  #latest: { until: number; readonly answer: Promise<Answer> } | null = null

  constructor(make: () => Promise<Answer>, now: () => number) {
    this.#make = make
    this.#now = now
  }

  async look(): Promise<Answer> {
    if (this.#latest && this.#now() < this.#latest.until) return await this.#latest.answer
    return await this.#lookAnew()
  }

  /**
   * For those who must not wait: what is made within so many milliseconds, else what was made last, while a new one is being
   * made; null when there was none yet. A failure leaves it at that: those who
   * `look` are told of it.
   */
  async soon(within: number): Promise<Answer | null> {
    const made = this.look().then((answer) => void (this.#made = answer))
    await endOf(made, within)
    return this.#made
  }

  async #lookAnew(): Promise<Answer> {
    const begun = this.#now()
    const latest = { until: Infinity, answer: this.#make() }
    this.#latest = latest
    try {
      const answer = await latest.answer
      latest.until = this.#now() + Math.max(freshFor, timesTaken * (this.#now() - begun))
      return answer
    } catch (error) {
      latest.until = -Infinity
      throw error
    }
  }
}
