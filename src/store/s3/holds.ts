/**
 * Objects that readers of this process have open, and those of them that are to be removed when the last reader has closed.
 * A crash in between leaves them as strays.
 */
export class Holds {
  readonly #remove: (key: string) => Promise<void>
  readonly #open = new Map<string, number>()
  readonly #doomed = new Set<string>()
  readonly #removing = new Set<Promise<void>>()

  /** @param remove never throws where nobody waits: a failure is told by `lost` */
  constructor(remove: (key: string) => Promise<void>, lost: (error: unknown, key: string) => void) {
    this.#remove = remove
    this.#lost = lost
  }

  readonly #lost: (error: unknown, key: string) => void

  /** @returns what lets go of them, to be called any number of times */
  hold(keys: readonly string[]): () => void {
    for (const key of keys) this.#open.set(key, (this.#open.get(key) ?? 0) + 1)
    let held = true
    return () => {
      if (!held) return
      held = false
      for (const key of keys) this.#release(key)
    }
  }

  /** Now, or when nobody has it open any more. */
  async remove(key: string): Promise<void> {
    if (this.#open.has(key)) this.#doomed.add(key)
    else await this.#remove(key)
  }

  /** It was removed, and is there only for those who have it open. */
  isDoomed(key: string): boolean {
    return this.#doomed.has(key)
  }

  /** It was put again. */
  spare(key: string): void {
    this.#doomed.delete(key)
  }

  /** Resolves when nothing is being removed any more. */
  async idle(): Promise<void> {
    await Promise.all(this.#removing)
  }

  #release(key: string): void {
    const left = (this.#open.get(key) ?? 1) - 1
    if (left > 0) this.#open.set(key, left)
    else this.#open.delete(key)
    if (left > 0 || !this.#doomed.delete(key)) return
    const removing = this.#remove(key)
      .catch((error: unknown) => this.#lost(error, key))
      .finally(() => this.#removing.delete(removing))
    this.#removing.add(removing)
  }
}
