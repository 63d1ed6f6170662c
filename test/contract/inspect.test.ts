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
