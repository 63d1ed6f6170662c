/** Hears how far a source is, in bytes as they cross the network. */
export type Tally = {
  /** Bytes to come in all, null when the source does not tell. */
  expect(total: number | null): void
  add(bytes: number): void
}

/** For those who only look. */
export const uncounted: Tally = { expect() {}, add() {} }
