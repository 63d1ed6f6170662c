/** What `work` makes of each thing, so many at the same time, in their order. */
export async function* sideBySide<Thing, Made>(
  things: AsyncIterable<Thing>,
  most: number,
  work: (thing: Thing) => Promise<Made>,
): AsyncGenerator<Made, void, undefined> {
  const running: Promise<Made>[] = []
  for await (const thing of things) {
    const made = work(thing)
    // It is awaited in its turn, and may fail before.
    made.catch(() => {})
    running.push(made)
    const first = running.length < most ? null : running.shift()
    if (first) yield await first
  }
  for (const made of running) yield await made
}
