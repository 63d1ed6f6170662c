/** Hears how far a source is, in bytes as they cross the network. */
export type Tally = {
  /**
   * @param total bytes of the whole, null when the source does not tell
   * @param from those of them that are here already
   */
  expect(total: number | null, from?: number): void
  add(bytes: number): void
}

/** For those who only look. */
export const uncounted: Tally = { expect() {}, add() {} }
