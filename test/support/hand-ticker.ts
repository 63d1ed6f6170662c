import type { Ticker } from '../../src/source/bandwidth.ts'

type Timer = { readonly at: number; readonly call: () => void }

/** A clock that goes on when it is told to, and calls what is due then, in its order. */
export class HandTicker implements Ticker {
  #time = 0
  #timers: Timer[] = []
  readonly #lateness: () => number

  /** @param lateness milliseconds by which a timer rings too late */
  constructor(lateness = () => 0) {
    this.#lateness = lateness
  }

  readonly now = () => this.#time

  readonly after = (milliseconds: number, call: () => void): void => {
    const late = milliseconds > 0 ? this.#lateness() : 0
    this.#timers.push({ at: this.#time + milliseconds + late, call })
  }

  /** To `time`, with all that happens until then. */
  runTo(time: number): void {
    for (let next = this.#first(time); next; next = this.#first(time)) {
      this.#timers.splice(this.#timers.indexOf(next), 1)
      this.#time = Math.max(this.#time, next.at)
      next.call()
    }
    this.#time = time
  }

  /** The first that was set among those that are due first. */
  #first(until: number): Timer | undefined {
    const due = this.#timers.filter(({ at }) => at <= until)
    return due.reduce<Timer | undefined>(
      (first, timer) => (first && first.at <= timer.at ? first : timer),
      undefined,
    )
  }
}
