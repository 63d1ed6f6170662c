import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Inspection } from '../../../src/inspect/inspection.ts'
import { Passing } from '../../../src/work/passing.ts'
import { limits } from '../../fixtures/verdict.ts'
import { content } from '../../support/http-neighbour.ts'

const bytes = content(2_500_000)

async function* chunksOf(cuts: readonly number[]) {
  let at = 0
  for (const cut of cuts) {
    yield Buffer.from(bytes.subarray(at, at + cut))
    at = Math.min(bytes.length, at + cut)
  }
  yield Buffer.from(bytes.subarray(at))
}

/** All stretches, each looked at. */
async function stretches(passing: Passing, inspection: Inspection): Promise<Buffer[]> {
  const all: Buffer[] = []
  while (!passing.isOver) {
    all.push(await passing.whole())
    if (inspection.received === inspection.due) inspection.look(Buffer.concat(all))
  }
  return all
}

describe('bytes on their way through an inspection', () => {
  test('come in stretches that end where they are looked at, however they were cut', async () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 700_000 }))
    const property = fc.asyncProperty(cuts, async (cuts) => {
      const inspection = new Inspection(limits, null, 'shown')
      const passing = new Passing(chunksOf(cuts), inspection)
      const first = inspection.due
      const all = await stretches(passing, inspection)
      expect(all[0]?.length).toBe(first)
      expect(Buffer.concat(all).equals(bytes)).toBe(true)
      expect(inspection.received).toBe(bytes.length)
      expect(inspection.due).toBeNull()
    })
    await fc.assert(property, { numRuns: 20, seed: 3 })
  })

  test('give their memory back when they have gone by, and are let go when nobody wants more', async () => {
    const whole = new Uint8Array(1000)
    let isClosed = false
    async function* endless() {
      try {
        yield whole
        for (;;) yield new Uint8Array(1000)
      } finally {
        isClosed = true
      }
    }
    const passing = new Passing(endless(), new Inspection(limits, null, 'shown'))
    const stretch = passing.stretch()
    await stretch.next()
    expect(whole.byteLength).toBe(1000)
    await stretch.next()
    expect(whole.byteLength).toBe(0)
    await stretch.return()
    await passing.close()
    expect(isClosed).toBe(true)
  })
})
