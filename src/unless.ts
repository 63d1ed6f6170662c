import { setTimeout as pause } from 'node:timers/promises'

/**
 * What `work` gives, or the reason of the signal when that ends first: the work goes on then, for others.
 * @throws the reason of the signal; what the work fails with
 */
export async function unless<Value>(signal: AbortSignal, work: Promise<Value>): Promise<Value> {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort)
  try {
    if (signal.aborted) abort()
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Resolves when `work` has ended, however it ends, or after so many milliseconds: the work goes on then. */
export async function endOf(work: Promise<unknown>, within: number): Promise<void> {
  const timer = new AbortController()
  const late = pause(within, undefined, { ref: false, signal: timer.signal }).catch(() => {})
  await Promise.race([Promise.allSettled([work]), late])
  timer.abort()
}
