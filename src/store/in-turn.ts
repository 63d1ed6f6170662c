/** Runs what concerns the same thing one after the other, and all else side by side. */
export class InTurn {
  readonly #last = new Map<string, Promise<unknown>>()

  async run<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(key) ?? Promise.resolve()
    const turn = before.then(work)
    // Whoever comes next waits for the end, not for the success.
    const ended = turn.catch(() => {})
    this.#last.set(key, ended)
    try {
      return await turn
    } finally {
      if (this.#last.get(key) === ended) this.#last.delete(key)
    }
  }
}
