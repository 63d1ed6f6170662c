import { setTimeout as pause } from 'node:timers/promises'

/** Requests that are being worked on, with or without a connection. */
export class Running {
  readonly #all = new Set<Promise<void>>()

  add(request: Promise<void>): void {
    const ended = request.finally(() => this.#all.delete(ended))
    this.#all.add(ended)
    // Its failure has been answered or logged where it was understood.
    ended.catch(() => {})
  }

  /** Resolves when there are none, or after so many milliseconds. */
  async ended(within: number): Promise<void> {
    const timer = new AbortController()
    const late = pause(within, undefined, { ref: false, signal: timer.signal }).catch(() => {})
    await Promise.race([Promise.allSettled(this.#all), late])
    timer.abort()
  }
}
