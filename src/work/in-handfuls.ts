/** What comes one by one, so many at a time; the last ones may be fewer. */
export async function* inHandfuls<Value>(
  values: AsyncIterable<Value>,
  size: number,
): AsyncGenerator<readonly Value[]> {
  let some: Value[] = []
  for await (const value of values) {
    some.push(value)
    if (some.length < size) continue
    yield some
    some = []
  }
  if (some.length > 0) yield some
}
