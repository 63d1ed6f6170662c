import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { unwrappers } from '../../src/unwrap/table.ts'
import { unwrap } from '../../src/unwrap/unwrap.ts'
import { noise } from '../fixtures/noise.ts'

const wrap: { readonly [name: string]: (bytes: Buffer) => Buffer } = {
  gzip: (bytes) => gzipSync(bytes),
}

async function unpack(bytes: Buffer, cuts: readonly number[] = []): Promise<Buffer> {
  const places = [...cuts, bytes.length].sort((one, other) => one - other)
  const pieces = places.map((place, index) => bytes.subarray(places[index - 1] ?? 0, place))
  const source = Readable.from(pieces, { objectMode: false })
  const { body } = await unwrap(source, { maxOutput: 10_000_000 }, AbortSignal.timeout(10_000))
  return buffer(body)
}

describe.each(unwrappers)('the unwrapper of $name', (unwrapper) => {
  const disk = Buffer.concat([noise(60_000), Buffer.alloc(200_000), noise(1000)])
  const wrapped = wrap[unwrapper.name]?.(disk) ?? Buffer.alloc(0)

  test('knows its own bytes and no zeros', () => {
    expect(unwrapper.matches(wrapped)).toBe(true)
    expect(unwrapper.matches(Buffer.alloc(512))).toBe(false)
    expect(unwrapper.matches(Buffer.alloc(0))).toBe(false)
  })

  test('gives the bytes back in any chunking', async () => {
    const cuts = fc.array(fc.nat(wrapped.length), { maxLength: 8 })
    const property = fc.asyncProperty(cuts, async (cuts) => {
      expect((await unpack(wrapped, cuts)).equals(disk)).toBe(true)
    })
    await fc.assert(property, { numRuns: 30, seed: 5 })
  })

  test('fails when the file is cut anywhere behind its signature', async () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 8, max: wrapped.length - 1 }),
      async (length) => {
        await expect(unpack(wrapped.subarray(0, length))).rejects.toMatchObject({
          code: 'CORRUPT_ARCHIVE',
        })
      },
    )
    await fc.assert(property, { numRuns: 40, seed: 6 })
  })

  test('fails when something else follows', async () => {
    const longer = Buffer.concat([wrapped, noise(700)])
    await expect(unpack(longer, [wrapped.length])).rejects.toMatchObject({
      code: 'CORRUPT_ARCHIVE',
    })
  })
})
