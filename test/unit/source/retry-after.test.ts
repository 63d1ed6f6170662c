import { describe, expect, test } from 'vitest'
import { retryAfter } from '../../../src/source/retry-after.ts'

const now = Date.UTC(1994, 10, 6, 8, 49, 30)

describe('Retry-After', () => {
  test.each([
    ['0', 0],
    ['7', 7000],
    [' 120 ', 120_000],
    ['600', 600_000],
    ['601', 600_000],
    ['99999999999999999999', 600_000],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 7000],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 7000],
    ['Sun Nov  6 08:49:37 1994', 7000],
    ['Sun, 06 Nov 1994 08:00:00 GMT', 0],
    ['Sun, 06 Nov 1999 08:00:00 GMT', 600_000],
  ])('%j waits %i ms', (value, expected) => {
    expect(retryAfter(value, now)).toBe(expected)
  })

  test.each([null, '', 'soon', '-1', '1.5', '1e3', 'Sun, 66 Nov 1994 08:49:37 GMT'])(
    '%j says nothing',
    (value) => {
      expect(retryAfter(value, now)).toBeNull()
    },
  )
})
