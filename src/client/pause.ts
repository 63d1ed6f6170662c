/** Resolves after so many milliseconds, or when the signal ends: whoever waits looks at the signal then. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const end = () => resolve()
  const timer = setTimeout(end, milliseconds)
  signal.addEventListener('abort', end)
  await promise
  clearTimeout(timer)
  signal.removeEventListener('abort', end)
}

/**
 * Milliseconds before the next attempt: doubling, half of it by chance, so that those who failed together do not come back
 * together.
 * @param failures so far, at least 0
 */
export function backoff(
  failures: number,
  { first, longest, random }: { first: number; longest: number; random: () => number },
): number {
  const full = Math.min(longest, first * 2 ** Math.min(failures, 20))
  return Math.round(full / 2 + (full / 2) * random())
}
