/**
 * Works on all items, a bounded number of them at the same time. The first failure stops the others, and is thrown when
 * they have ended.
 */
export async function eachOf<Item>(
  items: AsyncIterable<Item> | Iterable<Item>,
  places: number,
  work: (item: Item, signal: AbortSignal) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const failed = new AbortController()
  const either = AbortSignal.any(signal ? [signal, failed.signal] : [failed.signal])
  const iterator =
    Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
  const one = async () => {
    try {
      for (;;) {
        either.throwIfAborted()
        const next = await iterator.next()
        if (next.done === true) return
        await work(next.value, either)
      }
    } catch (error) {
      failed.abort(error)
      throw error
    }
  }
  await Promise.allSettled(Array.from({ length: places }, one))
  await iterator.return?.()
  signal?.throwIfAborted()
  failed.signal.throwIfAborted()
}
