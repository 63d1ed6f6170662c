/** The longest time that a timer takes, in milliseconds; a later alarm is looked at again then. */
const longest = 2 ** 31 - 1

/** One timer for the next of many stored times. It keeps no process alive. */
export class Alarm {
  readonly #now: () => number
  readonly #ring: () => void
  #timer: NodeJS.Timeout | null = null

  constructor(now: () => number, ring: () => void) {
    this.#now = now
    this.#ring = ring
  }

  /** @param at milliseconds since 1970, `Infinity` for never; replaces what was set before */
  set(at: number): void {
    this.clear()
    if (at === Infinity) return
    const wait = Math.min(longest, Math.max(0, at - this.#now()))
    this.#timer = setTimeout(this.#ring, wait).unref()
  }

  clear(): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
  }
}
