/** Of the last so many milliseconds: a connection changes while a large file goes up. */
const window = 5000

/** How fast something moves at present, as those see it who look at it every now and then. */
export class Pace {
  /** @type {{ readonly at: number, readonly bytes: number }[]} */
  #seen = []

  /** @param {number} bytes that are through by now; fewer than before begin anew @param {number} at milliseconds */
  saw(bytes, at) {
    const last = this.#seen.at(-1)
    if (last && bytes < last.bytes) this.#seen = []
    this.#seen.push({ at, bytes })
    const recent = this.#seen.findIndex((one) => at - one.at <= window)
    // The one before the window is where it begins.
    this.#seen.splice(0, Math.max(0, recent - 1))
  }

  forget() {
    this.#seen = []
  }

  /** @returns {number} bytes per second; 0 where nobody knows yet */
  get speed() {
    const [first, last] = [this.#seen.at(0), this.#seen.at(-1)]
    if (!first || !last || last.at === first.at) return 0
    return ((last.bytes - first.bytes) * 1000) / (last.at - first.at)
  }
}
