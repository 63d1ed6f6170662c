import { describe, expect, test } from 'vitest'
import { compared } from '../../../src/serve/web/browser/marks.js'
import { Pace } from '../../../src/serve/web/browser/pace.js'
import { nextPart } from '../../../src/serve/web/browser/parts.js'

const mebibyte = 1_048_576

describe('the speed', () => {
  test('is that of the last seconds, not of all', () => {
    const pace = new Pace()
    for (let second = 0; second <= 60; second += 1) pace.saw(second * 1000, second * 1000)
    for (let second = 1; second <= 6; second += 1)
      pace.saw(60_000 + second * 10_000, 60_000 + second * 1000)
    expect(pace.speed).toBe(10_000)
  })

  test('is nothing before anything was seen, and begins anew where something is sent again', () => {
    const pace = new Pace()
    expect(pace.speed).toBe(0)
    pace.saw(5000, 0)
    pace.saw(9000, 1000)
    pace.saw(1000, 2000)
    expect(pace.speed).toBe(0)
    pace.saw(3000, 4000)
    expect(pace.speed).toBe(1000)
  })
})

test.each([
  ['no less than 4 MiB', 4, 0.1, 4],
  ['what goes through in a second', 16, 20, 20],
  ['no more than twice the one before', 4, 900, 8],
  ['no more than 64 MiB', 64, 900, 64],
])('a part has %s', (_what, before, speed, wanted) => {
  expect(nextPart(before * mebibyte, speed * mebibyte)).toBe(wanted * mebibyte)
})

const mark = { name: 'disk.iso', size: 5, modified: 1, head: 'abc' }

test.each([
  ['same', mark, mark],
  ['same', mark, { ...mark, name: 'renamed.iso' }],
  ['unsure', null, mark],
  ['unsure', mark, { ...mark, modified: 2 }],
  ['other', mark, { ...mark, head: 'abd' }],
  ['other', mark, { ...mark, size: 6 }],
])('a file that was begun is the %s', (wanted, before, now) => {
  expect(compared(before, now)).toBe(wanted)
})
