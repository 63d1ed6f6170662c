/**
 * Works that end with the signal, or all when one of them fails.
 * @throws what the first one failed with, when all have ended
 */
export async function together(
  works: readonly ((signal: AbortSignal) => Promise<void>)[],
  signal: AbortSignal,
): Promise<void> {
  const failed = new AbortController()
  const both = AbortSignal.any([signal, failed.signal])
  const running = works.map((work) => work(both))
  try {
    await Promise.all(running)
  } finally {
    failed.abort()
    await Promise.allSettled(running)
  }
}
