import { setTimeout as sleep } from 'node:timers/promises'
import type { Outage } from '../../errors.ts'

/** Waits so many milliseconds; fails with the reason of an abort. */
export type Pause = (milliseconds: number, signal: AbortSignal) => Promise<void>

/** Milliseconds. */
const shortest = 1000
const longest = 30_000
/** Who asks for more is asked earlier. */
const longestAsked = 60_000

/**
 * Milliseconds before the try that follows: a second, doubled each time, up to half a minute, and less by up to half, so
 * that not all come back at once.
 * @param breaks one after the other, from 1
 */
export function patienceFor(breaks: number, { retryAfter }: Outage): number {
  const wait = Math.min(shortest * 2 ** (breaks - 1), longest) * (1 - Math.random() / 2)
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
