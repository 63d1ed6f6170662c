import { setTimeout as pause } from 'node:timers/promises'
import { Bandwidth, systemTicker, type Pace, type Ticker } from '../source/bandwidth.ts'
import type { Take } from './proof-read.ts'

/** @param rate bytes a second; null for no limit */
export function paced(rate: number | null, ticker: Ticker = systemTicker): Take {
  if (rate === null) return async (_bytes, signal) => signal.throwIfAborted()
  const pace = new Bandwidth(rate, ticker).share()
  return async (bytes, signal) => {
    for (let left = bytes; left > 0;) left -= await turn(pace, left, signal)
  }
}

async function turn(pace: Pace, most: number, signal: AbortSignal): Promise<number> {
  signal.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const withdraw = pace.ask(most, resolve)
  const abort = () => {
    withdraw()
    reject(signal.reason)
  }
  signal.addEventListener('abort', abort)
  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** At most so many things a second: some at once, then the rest of the time that they may take. */
export class Steps {
  readonly #perSecond: number
  #due = performance.now()

  constructor(perSecond: number) {
    this.#perSecond = perSecond
  }

  async take(count: number, signal: AbortSignal): Promise<void> {
    const now = performance.now()
    const wait = this.#due - now
    this.#due = Math.max(now, this.#due) + (count * 1000) / this.#perSecond
    if (wait > 0) await pause(wait, undefined, { signal, ref: false })
    signal.throwIfAborted()
  }
}
