/** So many values stand in one statement: every database takes them, and no statement holds up the others. */
const size = 500

export function handfuls<Value>(values: readonly Value[]): (readonly Value[])[] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, index) =>
    values.slice(index * size, (index + 1) * size),
  )
}
