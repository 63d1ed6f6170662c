import type { Dispatcher } from 'undici'

/** A connection to one origin. */
export type Way = {
  readonly dispatcher: Dispatcher
  readonly broke: () => Error | null
  readonly close: () => Promise<void>
}

/** A connection that waits for the next request to the same origin; one at a time. */
export class Kept {
  #way: Way | null = null
  #origin = ''
  #isClosed = false

  /** Whoever takes it gives it back or closes it. */
  take(origin: string): Way | null {
    if (origin !== this.#origin) return null
    const way = this.#way
    this.#way = null
    return way
  }

  async keep(origin: string, way: Way): Promise<void> {
    if (this.#isClosed) return await way.close()
    const before = this.#way
    this.#origin = origin
    this.#way = way
    await before?.close()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#way?.close()
    this.#way = null
  }
}
