import type { Catalog } from '../../catalog/catalog.ts'

/** Progress changes without a change in the catalog: it is looked at as often as an event would tell it. */
const lookEvery = 1000

/**
 * Waits until `changed` says so, looking after each change of the image in the catalog and every second.
 * @param limit milliseconds
 */
export async function untilChanged(
  catalog: Catalog,
  name: string,
  limit: number,
  changed: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const look = () => {
    changed().then((is) => is && resolve(), reject)
  }
  const unwatch = catalog.watch(name, look)
  const ticking = setInterval(look, lookEvery)
  const over = setTimeout(resolve, limit)
  signal.addEventListener('abort', () => resolve(), { once: true })
  try {
    if (!signal.aborted) await promise
  } finally {
    unwatch()
    clearInterval(ticking)
    clearTimeout(over)
  }
}
