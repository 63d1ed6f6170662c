/** Hears how far a source is, in bytes as they cross the network. */
export type Tally = {
  /**
   * @param total bytes of the whole, null when the source does not tell
   * @param from those of them that are here already
   */
  expect(total: number | null, from?: number): void
  add(bytes: number): void
}

/** For bytes of which one part is here and does not come: hears of the others alone. */
export function without(
  part: { readonly start: number; readonly end: number } | null,
  tally: Tally,
): Tally {
  if (!part) return tally
  let at = 0
  return {
    expect: (total, from) => tally.expect(total, from),
    add(bytes) {
      const here = Math.min(at + bytes, part.end) - Math.max(at, part.start)
      at += bytes
      tally.add(bytes - Math.max(0, here))
    },
  }
}

/** For those who only look. */
export const uncounted: Tally = { expect() {}, add() {} }
