import { describe, expect, test } from 'vitest'
import { without } from '../../../src/source/tally.ts'

/** Bytes that are heard of, of 100 that pass in pieces of one length. */
function heard(part: { start: number; end: number } | null, length: number): number {
  let sum = 0
  const tally = without(part, { expect() {}, add: (bytes) => void (sum += bytes) })
  for (let at = 0; at < 100; at += length) tally.add(Math.min(length, 100 - at))
  return sum
}

describe.each([1, 7, 30, 100])('a tally hears of what comes, in pieces of %d:', (length) => {
  test.each([
    [null, 100],
    [{ start: 0, end: 0 }, 100],
    [{ start: 0, end: 40 }, 60],
    [{ start: 15, end: 16 }, 99],
    [{ start: 15, end: 92 }, 23],
    [{ start: 50, end: 100 }, 50],
    [{ start: 0, end: 100 }, 0],
  ])('all but %j', (part, count) => {
    expect(heard(part, length)).toBe(count)
  })
})
