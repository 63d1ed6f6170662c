/**
 * Does something for each item, so many at the same time: a browser has six connections to one service, and others want some.
 * @template Item
 * @param {readonly Item[]} items @param {number} atOnce @param {(item: Item) => Promise<void>} work
 */
export async function fewAtOnce(items, atOnce, work) {
  const rest = items.values()
  const worker = async () => {
    for (const item of rest) await work(item)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}
