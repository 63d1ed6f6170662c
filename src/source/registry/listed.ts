/** More than this many nobody reads. */
const most = 10

/** `a`, `a and b`, `a, b and c`; of many, the first ten. */
export function listed(words: readonly string[]): string {
  const left = words.length - most
  const all = left > 0 ? [...words.slice(0, most), `${left} more`] : words
  const last = all.at(-1) ?? 'nothing'
  return all.length > 1 ? `${all.slice(0, -1).join(', ')} and ${last}` : last
}
