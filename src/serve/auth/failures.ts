/** So many failures within the window are allowed; then the next one has to wait until the first of them is over. */
const mostFailures = 10
/** Milliseconds. */
const window = 60_000
/** Some megabytes of memory. Whoever commands more addresses than this is not held back by counting them. */
const mostKeys = 10_000

/** Counts failures by key, in a table that has a bound: the key that failed the longest ago makes room. */
export class Failures {
  readonly #now: () => number
  readonly #times = new Map<string, readonly number[]>()

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number) {
    this.#now = now
  }

  add(key: string): void {
    const times = [...this.#recent(key), this.#now()].slice(-mostFailures)
    this.#times.delete(key)
    this.#times.set(key, times)
    const [oldest] = this.#times.keys()
    if (this.#times.size > mostKeys && oldest !== undefined) this.#times.delete(oldest)
  }

  /** Milliseconds until another attempt is allowed, 0 when it is now. */
  wait(key: string): number {
    const times = this.#recent(key)
    const [first] = times
    if (times.length < mostFailures || first === undefined) return 0
    return first + window - this.#now()
  }

  #recent(key: string): readonly number[] {
    const since = this.#now() - window
    return (this.#times.get(key) ?? []).filter((time) => time > since)
  }
}
