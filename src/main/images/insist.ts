import { setTimeout as sleep } from 'node:timers/promises'
import { Outage, Refusal, type Failure } from '../../errors.ts'
import { parseDuration } from '../../image/duration.ts'
import { textOf, type Values } from '../command.ts'

/** Milliseconds between two attempts: doubled, up to the longest. */
const [first, longest] = [250, 15_000]

export type Insistence = {
  /** Milliseconds without getting on after which it is given up. */
  readonly retryFor: number
  /** How far it is: more is further. */
  readonly reached: () => number
  /** Told once for each way in which it fails in a row. */
  readonly onBreak: (failure: Failure) => void
}

/** `--retry-for`, as the commands that move bytes have it. @throws Refusal UNSUPPORTED */
export function retryForOf(values: Values): number {
  const text = textOf(values, 'retry-for') ?? '15m'
  const duration = parseDuration(text)
  if (duration !== null) return duration
  throw new Refusal('UNSUPPORTED', `--retry-for is "${text}"; give a time such as 90s or 15m`)
}

/**
 * Tries again what connections and restarts break, for as long as it gets on.
 * @throws what does not pass by itself; the last failure when the time is over; the reason of the signal
 */
export async function insist<Value>(
  attempt: () => Promise<Value>,
  { retryFor, reached, onBreak }: Insistence,
  signal: AbortSignal,
): Promise<Value> {
  let [pause, until, best, said] = [first, performance.now() + retryFor, reached(), '']
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      signal.throwIfAborted()
      if (!isPassing(error)) throw error
      if (reached() > best)
        [pause, until, best, said] = [first, performance.now() + retryFor, reached(), '']
      if (performance.now() + pause > until) throw error
      if (said !== error.message) onBreak(error)
      said = error.message
    }
    await sleep(pause, undefined, { signal })
    pause = Math.min(2 * pause, longest)
  }
}

/** Whether it may be over soon: whoever holds an upload lets go, a service comes back. */
function isPassing(error: unknown): error is Failure {
  if (error instanceof Outage) return error.code !== 'STORAGE_FULL'
  return error instanceof Refusal && error.code === 'UPLOAD_BUSY'
}
