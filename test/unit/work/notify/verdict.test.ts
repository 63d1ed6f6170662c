import { expect, test } from 'vitest'
import { patience, verdictOn } from '../../../../src/work/notify/verdict.ts'

const minute = 60_000

test('patience grows from 5 s to an hour, half of it by chance', () => {
  expect([1, 2, 3, 10, 11, 500].map((failures) => patience(failures, null, () => 1))).toEqual([
    5000,
    10_000,
    20_000,
    5000 * 512,
    60 * minute,
    60 * minute,
  ])
  expect(patience(1, null, () => 0)).toBe(2500)
  expect(patience(1, 10 * minute, () => 1)).toBe(10 * minute)
  expect(patience(11, 1000, () => 1)).toBe(60 * minute)
})

test.each([
  [200, 'delivered'],
  [202, 'delivered'],
  [301, 'failed'],
  [400, 'failed'],
  [401, 'failed'],
  [404, 'failed'],
  [410, 'refused'],
  [413, 'refused'],
  [422, 'refused'],
  [429, 'failed'],
  [500, 'failed'],
  [503, 'failed'],
])('what is answered with %i is %s', (status, kind) => {
  expect(verdictOn(status, null).kind).toBe(kind)
})
