import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { largestPart, partsInAll, partSizeOf, smallestPart } from '../../../src/image/part-plan.ts'

const mebibyte = 1024 * 1024
const tebibyte = 1024 * 1024 * mebibyte

describe('the size of parts', () => {
  test('holds any size from 1 byte to 48 TiB in 10 000 equal parts that every server takes', () => {
    const sizes = fc.oneof(
      fc.integer({ min: 1, max: 48 * tebibyte }),
      fc.integer({ min: 1, max: 200 * 1024 * mebibyte }),
      // Where one part more would be needed.
      fc.integer({ min: 8, max: 5 * 1024 }).chain((part) => {
        const edge = part * mebibyte * partsInAll
        return fc.integer({ min: edge - 2, max: edge + 2 })
      }),
    )
    fc.assert(
      fc.property(sizes, (size) => {
        const part = partSizeOf(size)
        expect(part % mebibyte).toBe(0)
        expect(part).toBeGreaterThanOrEqual(smallestPart)
        expect(part).toBeLessThanOrEqual(largestPart)
        if (size <= 48 * tebibyte) expect(Math.ceil(size / part)).toBeLessThanOrEqual(partsInAll)
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    [1, 8],
    [80_000 * mebibyte, 8],
    [80_000 * mebibyte + 1, 9],
    [120 * 1024 * mebibyte, 13],
    [tebibyte, 105],
    [48 * tebibyte, 5034],
    [null, 16],
  ])('of %s bytes is %i MiB', (size, mebibytes) => {
    expect(partSizeOf(size)).toBe(mebibytes * mebibyte)
  })
})
