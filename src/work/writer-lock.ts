import { setTimeout as pause } from 'node:timers/promises'
import { Refusal } from '../errors.ts'
import { Stopped } from './active.ts'

/** A writer that has sent nothing for so long has gone without a word, and is cut off for whoever comes next. */
const silence = 10_000
/** How long a newcomer waits for a writer that is alive, in milliseconds. */
const patience = 30_000
/** Newcomers that wait at the same time. */
const mostWaiting = 4

/** A writer changes how many bytes there are; who only looks or tidies does not. */
type Purpose = 'write' | 'look'

type Holder = {
  readonly purpose: Purpose
  heardAt: number
  readonly controller: AbortController
  readonly left: Promise<void>
}

/** The right to write, until it is disposed. */
export type Writing = Disposable & {
  /** Ends when somebody else takes over, or the caller's own signal does. */
  readonly signal: AbortSignal
  /** Bytes have come. */
  heard(): void
  /** From now on this side works, and the client's silence means nothing. */
  finish(): void
}

/** One writer at a time; a newcomer waits for its turn, and takes it from a writer that has fallen silent. */
export class WriterLock {
  readonly #now: () => number
  #holder: Holder | null = null
  #waiting = 0

  constructor(now: () => number) {
    this.#now = now
  }

  get isHeld(): boolean {
    return this.#holder !== null
  }

  get isWritten(): boolean {
    return this.#holder?.purpose === 'write'
  }

  /** @throws Refusal TOO_MANY_REQUESTS when a writer that is alive holds it for too long; the reason of the signal */
  async enter(signal: AbortSignal, purpose: Purpose = 'write'): Promise<Writing> {
    if (this.#waiting >= mostWaiting) throw busy()
    this.#waiting += 1
    try {
      const until = this.#now() + patience
      while (this.#holder) await this.#waitFor(this.#holder, until, signal)
    } finally {
      this.#waiting -= 1
    }
    return this.#hold(signal, purpose)
  }

  /** Resolves when nobody writes, or after `wait` milliseconds. */
  async settle(wait: number, signal: AbortSignal): Promise<void> {
    if (this.#holder) await either(this.#holder.left, wait, signal)
  }

  /** Tells whoever writes to stop. */
  cut(why: Stopped['why']): void {
    this.#holder?.controller.abort(new Stopped(why))
  }

  async #waitFor(holder: Holder, until: number, signal: AbortSignal): Promise<void> {
    const now = this.#now()
    if (now >= until) throw busy()
    const quiet = now - holder.heardAt
    if (quiet >= silence) holder.controller.abort(new Stopped('taken over'))
    const wait = quiet >= silence ? until - now : Math.min(silence - quiet, until - now)
    await either(holder.left, wait, signal)
  }

  #hold(signal: AbortSignal, purpose: Purpose): Writing {
    const controller = new AbortController()
    const { promise, resolve } = Promise.withResolvers<void>()
    const holder: Holder = { purpose, heardAt: this.#now(), controller, left: promise }
    this.#holder = holder
    return {
      signal: AbortSignal.any([controller.signal, signal]),
      heard: () => {
        holder.heardAt = this.#now()
      },
      finish: () => {
        holder.heardAt = Infinity
      },
      [Symbol.dispose]: () => {
        this.#holder = null
        resolve()
      },
    }
  }
}

/** The end of something or of a time, whichever comes first. */
async function either(end: Promise<void>, wait: number, signal: AbortSignal): Promise<void> {
  const timer = new AbortController()
  const late = pause(wait, undefined, {
    ref: false,
    signal: AbortSignal.any([timer.signal, signal]),
  }).catch(() => signal.throwIfAborted())
  try {
    await Promise.race([end, late])
  } finally {
    timer.abort()
  }
}

function busy(): Refusal {
  return new Refusal(
    'TOO_MANY_REQUESTS',
    'another request is writing this upload; wait until it has ended, then ask for the offset',
    { retryAfter: silence },
  )
}
