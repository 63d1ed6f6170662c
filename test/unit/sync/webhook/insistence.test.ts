import { expect, test } from 'vitest'
import { Insistence } from '../../../../src/sync/webhook/insistence.ts'

const minute = 60_000

test('who undoes what was written is answered slower each time, a minute at most', () => {
  const insistence = new Insistence(1000)
  const waits = Array.from({ length: 40 }, (_, index) => {
    insistence.wrote(index * minute)
    return insistence.wait
  })
  expect(waits.slice(0, 8)).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
  expect(waits.at(-1)).toBe(60_000)
})

test('it is said once, and again when it begins again', () => {
  const insistence = new Insistence(1000)
  const told = (from: number) =>
    Array.from({ length: 10 }, (_, index) => insistence.wrote(from + index * minute))
  const once = [false, false, false, false, true, false, false, false, false, false]
  expect(told(0)).toEqual(once)
  expect(told(30 * minute)).toEqual(once)
})

test('what has lasted is answered fast', () => {
  const insistence = new Insistence(1000)
  for (const at of [0, 1, 2, 3]) insistence.wrote(at)
  insistence.wrote(11 * minute)
  expect(insistence.wait).toBe(1000)
  // A clock that was set back keeps nobody waiting.
  for (const at of [3, 4]) insistence.wrote(11 * minute + at)
  insistence.wrote(-60 * minute)
  expect(insistence.wait).toBe(1000)
})
