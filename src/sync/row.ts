type Place = { readonly key: string; readonly born: number }

/** Keys that wait, each once: taken is the one that has waited for longest, or the youngest. */
export class Row {
  readonly #bornAt: (key: string) => number
  readonly #keys = new Set<string>()
  /** The youngest last. Those that were taken meanwhile are among them, until they are many. */
  #places: Place[] = []

  /** @param bornAt of what the key stands for, however often it waits; the later, the larger */
  constructor(bornAt: (key: string) => number) {
    this.#bornAt = bornAt
  }

  get size(): number {
    return this.#keys.size
  }

  has(key: string): boolean {
    return this.#keys.has(key)
  }

  add(key: string): void {
    if (this.#keys.has(key)) return
    this.#keys.add(key)
    const born = this.#bornAt(key)
    this.#places.splice(this.#after(born), 0, { key, born })
    if (this.#places.length > 2 * this.#keys.size + 64) this.#tidy()
  }

  delete(key: string): void {
    this.#keys.delete(key)
  }

  /** Who has waited for longest; null when nobody waits. */
  takeOldest(): string | null {
    const [key = null] = this.#keys
    if (key !== null) this.#keys.delete(key)
    return key
  }

  /** Of several that are as young, the one that came last. */
  takeYoungest(): string | null {
    for (let last = this.#places.pop(); last; last = this.#places.pop()) {
      if (this.#keys.delete(last.key)) return last.key
    }
    return null
  }

  /** The index behind all that are not younger. */
  #after(born: number): number {
    let [low, high] = [0, this.#places.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#places[middle]?.born ?? 0) <= born) low = middle + 1
      else high = middle
    }
    return low
  }

  #tidy(): void {
    const waiting = new Set(this.#keys)
    const latest = this.#places.toReversed().filter(({ key }) => waiting.delete(key))
    this.#places = latest.toReversed()
  }
}
