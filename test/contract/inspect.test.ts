import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Bug, Failure } from '../../src/errors.ts'
import { inspectors, signatures } from '../../src/inspect/table.ts'
import { headLength, tailLength } from '../../src/inspect/windows.ts'
import { samples } from '../fixtures/samples.ts'
import { inspect } from '../fixtures/verdict.ts'

describe.each(inspectors)('the inspector of $format', (inspector) => {
  const file = samples[inspector.format]?.() ?? Buffer.alloc(0)

  test('accepts its sample in any chunking', () => {
    const facts = inspect(file, file.length)
    expect(facts.format).toBe(inspector.format)
    expect(facts.unpackedBytes).toBeGreaterThan(0)
    const chunk = fc.integer({ min: 100, max: file.length })
    const property = fc.property(chunk, (chunk) => {
      expect(inspect(file, chunk)).toEqual(facts)
      expect(inspect(file, chunk, file.length)).toEqual(facts)
    })
    fc.assert(property, { numRuns: 30, seed: 3 })
  })

  test('tells only what JSON can hold', () => {
    const facts = inspect(file)
    expect(JSON.parse(JSON.stringify(facts))).toEqual(facts)
  })

  test('judges a file that is cut anywhere, and fails only in the known ways', () => {
    const cuts = fc.oneof(fc.nat(1024), fc.nat(file.length))
    const property = fc.property(cuts, (length) => {
      try {
        inspect(file.subarray(0, length))
      } catch (error) {
        expect(error).toBeInstanceOf(Failure)
        expect(error).not.toBeInstanceOf(Bug)
      }
    })
    fc.assert(property, { numRuns: 100, seed: 4 })
  })

  test('judges a file whose bits were flipped, and fails only in the known ways', () => {
    const headers = [1024, 4096, 0x3_1000, 0x20_1000].map((end) => Math.min(end, file.length))
    const position = fc.oneof(
      ...headers.map((end) => fc.integer({ min: Math.max(0, end - 4096), max: end - 1 })),
      fc.integer({ min: Math.max(0, file.length - 1024), max: file.length - 1 }),
    )
    const flips = fc.array(fc.tuple(position, fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    })
    const property = fc.property(flips, (flips) => {
      const copy = Buffer.from(file)
      for (const [at, mask] of flips) copy[at] = (copy[at] ?? 0) ^ mask
      try {
        inspect(copy)
      } catch (error) {
        expect(error).toBeInstanceOf(Failure)
        expect(error).not.toBeInstanceOf(Bug)
      }
    })
    fc.assert(property, { numRuns: 150, seed: 5 })
  })

  test('declares what it is refused for', () => {
    const names = inspector.checks.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })
})

test('no signature looks outside the windows', () => {
  for (const { regions } of signatures) {
    for (const { from, offset, length } of regions) {
      if (from === 'start') expect(offset + length).toBeLessThanOrEqual(headLength / 2)
      else expect(offset).toBeLessThanOrEqual(tailLength)
    }
  }
})
