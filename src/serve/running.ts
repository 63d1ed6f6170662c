import type { Log } from '../log.ts'
import { endOf } from '../unless.ts'

/** Requests that are being worked on, with or without a connection. */
export class Running {
  readonly #all = new Set<Promise<void>>()
  readonly #log: Log

  constructor(log: Log) {
    this.#log = log
  }

  add(request: Promise<void>): void {
    const ended = request
      .catch((err: unknown) => this.#log.error({ err }, 'a request ended without an answer'))
      .finally(() => this.#all.delete(ended))
    this.#all.add(ended)
  }

  /** Resolves when there are none, or after so many milliseconds. */
  async ended(within: number): Promise<void> {
    await endOf(Promise.allSettled(this.#all), within)
  }
}
