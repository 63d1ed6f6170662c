import type { Catalog } from '../../catalog/catalog.ts'

/** Progress changes without a change in the catalog: it is told as often as an event would tell it. */
const lookEvery = 1000

/**
 * Waits until `changed` says so, which is asked after each change of the image in the catalog, and every second whether
 * its progress counts, too.
 * @param limit milliseconds
 * @param signals end the waiting early; they may outlive it by far
 */
export async function untilChanged(
  catalog: Catalog,
  name: string,
  limit: number,
  changed: (progressCounts: boolean) => Promise<boolean>,
  signals: readonly AbortSignal[],
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const look = (progressCounts: boolean) => {
    changed(progressCounts).then((is) => is && resolve(), reject)
  }
  const unwatch = catalog.watch(name, () => look(false))
  const ticking = setInterval(look, lookEvery, true)
  const over = setTimeout(resolve, limit)
  const stop = () => resolve()
  for (const signal of signals) signal.addEventListener('abort', stop)
  try {
    if (!signals.some((signal) => signal.aborted)) await promise
  } finally {
    unwatch()
    clearInterval(ticking)
    clearTimeout(over)
    for (const signal of signals) signal.removeEventListener('abort', stop)
  }
}
