import { setTimeout as sleep } from 'node:timers/promises'
import type { Outage } from '../../errors.ts'

/** A connection that broke in the middle of a blob. */
export type Break = {
  readonly failure: Outage
  /** Breaks one after the other, this one among them, between which hardly any bytes came. */
  readonly times: number
  /** Bytes that have come and would have to come again if there were no further try. */
  readonly lost: number
}

/** Waits until it is time for another try; fails with the failure itself when there is to be none, or with an abort's reason. */
export type Patience = (broken: Break, signal: AbortSignal) => Promise<void>

/** Waits so many milliseconds; fails with the reason of an abort. */
export type Pause = (milliseconds: number, signal: AbortSignal) => Promise<void>

/** Tries after a break where little is lost when there are no more. */
export const mostTries = 5

/** Milliseconds. */
const shortest = 1000
const longest = 30_000
/** Who asks for more is asked earlier. */
const longestAsked = 60_000

/** Five tries, ever more patiently: for whoever has nobody to tell of a break. */
export function shortPatience(pause: Pause): Patience {
  return async ({ failure, times }, signal) => {
    if (times > mostTries) throw failure
    await pause(patienceFor(times, failure), signal)
  }
}

/**
 * Milliseconds before the try that follows: a second, doubled each time, up to half a minute, and less by up to half, so
 * that not all come back at once.
 */
export function patienceFor(times: number, { retryAfter }: Outage): number {
  const wait = Math.min(shortest * 2 ** (times - 1), longest) * (1 - Math.random() / 2)
  return Math.max(wait, Math.min(retryAfter ?? 0, longestAsked))
}

export const pause: Pause = async (milliseconds, signal) => {
  try {
    await sleep(milliseconds, undefined, { signal })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}
