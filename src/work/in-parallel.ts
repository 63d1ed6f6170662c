/** Does the work for each, at most `width` at the same time. Rejects with the first failure, when no more is begun. */
export async function inParallel<Item>(
  items: Iterable<Item>,
  width: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]()
  let failed = false
  const lane = async () => {
    for (let next = rest.next(); !next.done && !failed; next = rest.next()) {
      try {
        await work(next.value)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: width }, lane))
  const first = ended.find(({ status }) => status === 'rejected')
  if (first?.status === 'rejected') throw first.reason
}
