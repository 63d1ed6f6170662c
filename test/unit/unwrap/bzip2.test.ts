import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeBzip2 } from '../../../src/unwrap/bzip2-decode.ts'
import { noise } from '../../fixtures/noise.ts'
import { needs } from '../../support/programs.ts'
import { atOnce, cut, disk, filtered, flipped, numbers, refusals, unpack } from './files.ts'

/** Short, since the decoder is slow. */
const part = disk.subarray(50_000, 62_000)

function made(level: number, input = part): Buffer {
  return filtered('bzip2', ['-c', `-${level}`], input)
}

/** Without a thread, which costs more than all else here. */
function decode(...pieces: readonly Buffer[]): Buffer {
  return atOnce(decodeBzip2, pieces)
}

const has = needs('bzip2', 'apt-get install bzip2')
const file = has ? made(1) : Buffer.alloc(0)

describe.skipIf(!has)('a bzip2 file', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9])('made with -%i is read', (level) => {
    expect(decode(made(level, disk)).equals(disk)).toBe(true)
  })

  test('may have several blocks and streams', async () => {
    const large = Buffer.concat([noise(250_000), Buffer.alloc(400_000), disk])
    const two = [made(1, large), made(9, large)]
    const twice = Buffer.concat([large, large])
    expect(decode(...two).equals(twice)).toBe(true)
    expect((await unpack(Buffer.concat(two))).equals(twice)).toBe(true)
  })

  test.each([
    ['pbzip2', ['-c', '-1', '-p2'], 'apt-get install pbzip2'],
    ['lbzip2', ['-c', '-1', '-n2'], 'apt-get install lbzip2'],
  ])('made by %s is read', (program, args, install) => {
    if (!needs(program, install)) return
    expect(decode(filtered(program, args, disk)).equals(disk)).toBe(true)
  })

  test('gives the same in any chunking', () => {
    const several = Buffer.concat([file, made(2, Buffer.alloc(0)), file])
    const expected = Buffer.concat([part, part])
    const cuts = fc.array(fc.nat(several.length), { maxLength: 20 })
    const property = fc.property(cuts, (places) => {
      expect(decode(...cut(several, places)).equals(expected)).toBe(true)
    })
    fc.assert(property, { numRuns: 20, seed: 1 })
    const small = made(1, Buffer.from('disk'))
    expect(String(decode(...cut(small, [...small.keys()])))).toBe('disk')
  })

  test('may be empty', async () => {
    const empty = made(9, Buffer.alloc(0))
    expect(decode(empty, empty).length).toBe(0)
    expect((await unpack(empty)).length).toBe(0)
  })

  test('that was cut is refused, wherever, and the message says where', async () => {
    for (const length of numbers(100, 10, file.length - 1, 2)) {
      expect(() => decode(file.subarray(0, length))).toThrow(
        expect.objectContaining({
          code: 'CORRUPT_ARCHIVE',
          message: expect.stringContaining(`cut off at byte ${length} of`),
        }),
      )
    }
    for (const length of [10, 5000, file.length - 1]) {
      await expect(unpack(file.subarray(0, length))).rejects.toMatchObject({
        code: 'CORRUPT_ARCHIVE',
      })
    }
  })

  test('with something else behind it is refused, and the message says where', async () => {
    for (const garbage of [
      noise(500),
      Buffer.alloc(512),
      Buffer.from('BZh!....'),
      Buffer.from('B'),
    ]) {
      await expect(unpack(file, garbage)).rejects.toMatchObject({
        code: 'CORRUPT_ARCHIVE',
        message: expect.stringMatching(/byte \d+ of the compressed file; test it with "bzip2 -t/),
      })
    }
    expect(() => decode(file, noise(500))).toThrow(`begins at byte ${file.length} of`)
  })

  test('with a flipped bit is refused or gives the very bytes', async () => {
    const damaged = flipped(file, 10, 150, 3)
    expect(await refusals(damaged, decode, part)).toBeGreaterThanOrEqual(149)
  })

  test('with wrong sums is refused', () => {
    for (const [at, bytes] of [
      [10, file],
      [file.length - 3, file],
    ] as const) {
      const damaged = Buffer.from(bytes)
      damaged[at] = (damaged[at] ?? 0) ^ 0xff
      expect(() => decode(damaged)).toThrow(/is not sound/)
    }
  })
})
