/** Why a transfer is told to stop. */
export class Stopped extends Error {
  readonly why: 'deleted' | 'shutdown' | 'taken over' | 'expired' | 'idle'

  constructor(why: Stopped['why']) {
    super(`the transfer was stopped: ${why}`)
    this.name = 'Stopped'
    this.why = why
  }
}

type Running = {
  readonly controller: AbortController
  readonly done: Promise<void>
  readonly since: number
  readonly who: string
  heardAt: number
}

/** The images whose bytes are on the move in this process: one transfer an image, each of which can be stopped. */
export class Active {
  readonly #now: () => number
  readonly #steady: () => number
  readonly #running = new Map<string, Running>()
  #closing = false

  /** @param steady milliseconds that nobody sets: silence is measured by them */
  constructor(now: () => number, steady = now) {
    this.#now = now
    this.#steady = steady
  }

  get size(): number {
    return this.#running.size
  }

  holder(imageUid: string): Readonly<Pick<Running, 'who' | 'since'>> | null {
    return this.#running.get(imageUid) ?? null
  }

  /** Whoever holds it has shown a sign of life. */
  heard(imageUid: string): void {
    const running = this.#running.get(imageUid)
    if (running) running.heardAt = this.#steady()
  }

  /** Milliseconds since the last sign of life of whoever holds it. */
  silence(imageUid: string): number {
    return this.#steady() - (this.#running.get(imageUid)?.heardAt ?? -Infinity)
  }

  /**
   * Runs a transfer unless the image has one already.
   * @param who shown to whoever comes second
   * @returns null when another one is running
   */
  async run<Result>(
    imageUid: string,
    who: string,
    transfer: (signal: AbortSignal) => Promise<Result>,
  ): Promise<{ readonly result: Result } | null> {
    if (this.#running.has(imageUid)) return null
    const controller = new AbortController()
    const { promise, resolve } = Promise.withResolvers<void>()
    const since = this.#now()
    const heardAt = this.#steady()
    this.#running.set(imageUid, { controller, done: promise, since, who, heardAt })
    if (this.#closing) controller.abort(new Stopped('shutdown'))
    try {
      return { result: await transfer(controller.signal) }
    } finally {
      this.#running.delete(imageUid)
      resolve()
    }
  }

  /** Tells an image's transfer, if it has one, to stop. */
  halt(imageUid: string, why: Stopped['why']): void {
    this.#running.get(imageUid)?.controller.abort(new Stopped(why))
  }

  /** The same, and waits until it has let go. */
  async stop(imageUid: string, why: Stopped['why']): Promise<void> {
    const running = this.#running.get(imageUid)
    this.halt(imageUid, why)
    await running?.done
  }

  async stopAll(why: Stopped['why']): Promise<void> {
    this.#closing = true
    await Promise.all([...this.#running.keys()].map((uid) => this.stop(uid, why)))
  }
}
