import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isWrapped, unwrappers } from '../../src/unwrap/table.ts'
import { unwrap } from '../../src/unwrap/unwrap.ts'
import { noise } from '../fixtures/noise.ts'
import { needs } from '../support/programs.ts'
import { cut, filtered, unpack, whole } from '../unit/unwrap/files.ts'

const wrap: { readonly [name: string]: (bytes: Buffer) => Buffer } = {
  gzip: (bytes) => gzipSync(bytes),
  xz: (bytes) => filtered('xz', ['-1'], bytes),
  zstd: (bytes) => zstdCompressSync(bytes),
  bzip2: (bytes) => filtered('bzip2', ['-1'], bytes),
}

const program: { readonly [name: string]: string } = { xz: 'xz-utils', bzip2: 'bzip2' }
const made = unwrappers.filter(({ name }) => {
  const archive = program[name]
  return archive === undefined || needs(name, `apt-get install ${archive}`)
})

function wrapped(name: string, bytes: Buffer): Buffer {
  return wrap[name]?.(bytes) ?? Buffer.alloc(0)
}

/** A wrapping in a wrapping, each kind in the next. */
const nested = made.map(({ name }, index) => [name, made.at(index - 1)?.name ?? ''] as const)

/** Not all zeros, since a file of a few hundred bytes would be seen whole before anything is unpacked. */
const bomb = Buffer.concat([noise(100_000), Buffer.alloc(40_000_000)])

function workers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length
}

const workersAtRest = workers()

describe.each(made)('the unwrapper of $name', (unwrapper) => {
  const { name } = unwrapper
  const disk = Buffer.concat([noise(60_000), Buffer.alloc(100_000), noise(1000)])
  const file = wrapped(name, disk)
  const bombed = wrapped(name, bomb)

  test('knows its own bytes and no zeros', () => {
    expect(unwrapper.matches(file)).toBe(true)
    expect(unwrapper.matches(Buffer.alloc(512))).toBe(false)
    expect(unwrapper.matches(Buffer.alloc(0))).toBe(false)
    expect(made.filter((other) => other.matches(file))).toEqual([unwrapper])
    expect(isWrapped(file)).toBe(true)
  })

  test('gives the bytes back in any chunking', async () => {
    const cuts = fc.array(fc.nat(file.length), { maxLength: 8 })
    const property = fc.asyncProperty(cuts, async (places) => {
      expect((await unpack(...cut(file, places))).equals(disk)).toBe(true)
    })
    await fc.assert(property, { numRuns: 6, seed: 5 })
  })

  test('fails when the file is cut anywhere behind its signature', async () => {
    const lengths = fc.integer({ min: 10, max: file.length - 1 })
    const property = fc.asyncProperty(lengths, async (length) => {
      await expect(unpack(file.subarray(0, length))).rejects.toMatchObject({
        code: 'CORRUPT_ARCHIVE',
        message: expect.stringContaining(`the ${name} file is not sound: it was cut off at byte`),
      })
    })
    await fc.assert(property, { numRuns: 6, seed: 6 })
  })

  test('fails when something else follows', async () => {
    for (const pieces of [[file, noise(700)], [Buffer.concat([file, noise(700)])]]) {
      await expect(unpack(...pieces)).rejects.toMatchObject({
        code: 'CORRUPT_ARCHIVE',
        message: expect.stringMatching(
          new RegExp(`the ${name} file .* byte \\d+ of the compressed file; test it with`),
        ),
      })
    }
  })

  test('stops a bomb at the most that is accepted', async () => {
    const source = whole(bombed)
    const limits = { maxOutput: 3_000_000 }
    const { body } = await unwrap(source, limits, AbortSignal.timeout(15_000))
    await expect(buffer(body)).rejects.toMatchObject({ code: 'DECOMPRESSION_LIMIT' })
    await expect.poll(() => source.closed).toBe(true)
  })

  test('is held back by its reader', async () => {
    const reader = unwrapper.open()
    let given = 0
    reader.on('error', () => {})
    reader.write(bombed)
    await wait(400)
    for (let piece: unknown = reader.read(); piece instanceof Uint8Array; piece = reader.read()) {
      given += piece.length
      if (given > 8_000_000) break
    }
    expect(given).toBeLessThan(8_000_000)
    expect(reader.readableLength).toBeLessThan(8_000_000)
    reader.destroy()
  })

  test('leaves nothing behind when it is destroyed half way or told to stop', async () => {
    for (const taken of [0, 1]) {
      const source = new PassThrough()
      source.write(bombed)
      const stop = new AbortController()
      const { body } = await unwrap(source, { maxOutput: 1e9 }, stop.signal)
      if (taken > 0) await body.iterator({ destroyOnReturn: false }).next()
      if (taken > 0) stop.abort()
      else body.destroy()
      body.on('error', () => {})
      await expect.poll(() => body.closed && source.closed).toBe(true)
    }
    await expect.poll(workers).toBe(workersAtRest)
  })
})

test.each(nested)('%s in %s is taken off, both in pieces', async (inner, outer) => {
  const disk = noise(5000)
  const file = wrapped(outer, wrapped(inner, disk))
  expect((await unpack(...cut(file, [1, 700, 2000]))).equals(disk)).toBe(true)
  const { body, wrapping } = await unwrap(whole(file), { maxOutput: 1e6 }, AbortSignal.timeout(5e3))
  expect(wrapping).toEqual([outer, inner])
  body.destroy()
})
