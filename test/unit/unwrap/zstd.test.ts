import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { zstd } from '../../../src/unwrap/zstd.ts'
import { noise } from '../../fixtures/noise.ts'
import { needs } from '../../support/programs.ts'
import { temporaryFolder } from '../../support/temporary.ts'
import { cut, disk, filtered, flipped, numbers, refusals, unpack } from './files.ts'

const frame = zstdCompressSync(disk)
const hasZstd = needs('zstd', 'apt-get install zstd')

function skippable(length: number, kind = 0): Buffer {
  const bytes = Buffer.alloc(8 + length, 'note')
  bytes.writeUInt32LE(0x184d2a50 + kind)
  bytes.writeUInt32LE(length, 4)
  return bytes
}

function made(...args: readonly string[]): Buffer {
  return filtered('zstd', ['-q', '-c', ...args], disk)
}

/** A frame of one empty block, with a window descriptor and a dictionary id of one byte. */
function header(window: number, dictionary = 0): Buffer {
  return Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x01, window, dictionary, 0x01, 0, 0])
}

describe('a zstd file', () => {
  test('may have several frames, and skippable ones before, between and behind them', async () => {
    const files = [
      [frame, frame],
      [skippable(0), frame],
      [skippable(5), skippable(100, 15), frame, skippable(7, 3), frame, skippable(300)],
      [skippable(100_000), frame],
    ]
    for (const pieces of files) {
      const frames = pieces.filter((piece) => piece === frame)
      const expected = Buffer.concat(frames.map(() => disk))
      expect((await unpack(Buffer.concat(pieces))).equals(expected)).toBe(true)
      expect((await unpack(...pieces)).equals(expected)).toBe(true)
    }
  })

  test('gives the same in any chunking', async () => {
    const file = Buffer.concat([skippable(9), frame, skippable(0), zstdCompressSync(''), frame])
    const expected = Buffer.concat([disk, disk])
    const cuts = fc.array(fc.nat(file.length), { maxLength: 20 })
    const property = fc.asyncProperty(cuts, async (places) => {
      expect((await unpack(...cut(file, places))).equals(expected)).toBe(true)
    })
    await fc.assert(property, { numRuns: 50, seed: 1 })
    const small = Buffer.concat([skippable(3), zstdCompressSync('disk'), skippable(2)])
    expect(String(await unpack(...cut(small, [...small.keys()])))).toBe('disk')
  })

  test('of very many frames is read in seconds', async () => {
    const tiny = zstdCompressSync('x')
    const file = Buffer.alloc(tiny.length * 30_000, tiny)
    expect((await unpack(file)).length).toBe(30_000)
  })

  test('may be empty', async () => {
    expect((await unpack(zstdCompressSync(''))).length).toBe(0)
  })

  test('that was cut is refused, wherever, and the message says where', async () => {
    const file = Buffer.concat([skippable(20), frame, frame])
    const ends = new Set([28, 28 + frame.length])
    for (const length of numbers(100, 36, file.length - 1, 2).filter((each) => !ends.has(each))) {
      await expect(unpack(file.subarray(0, length))).rejects.toMatchObject({
        code: 'CORRUPT_ARCHIVE',
        message: expect.stringContaining(`cut off at byte ${length} of`),
      })
    }
  })

  test('with something else behind it is refused, and the message says where', async () => {
    for (const garbage of [noise(500), Buffer.alloc(4), Buffer.from('end\n')]) {
      for (const pieces of [[Buffer.concat([frame, garbage])], [frame, garbage]]) {
        await expect(unpack(...pieces)).rejects.toMatchObject({
          code: 'CORRUPT_ARCHIVE',
          message: expect.stringContaining(`begins at byte ${frame.length} of`),
        })
      }
    }
    await expect(unpack(frame, Buffer.from([0]))).rejects.toMatchObject({ code: 'CORRUPT_ARCHIVE' })
  })

  test('of skippable frames alone is refused, whether or not their end was seen at once', async () => {
    for (const length of [0, 100, 504, 100_000]) {
      await expect(unpack(skippable(length))).rejects.toMatchObject({
        code: 'CORRUPT_ARCHIVE',
        message: expect.stringContaining('no frame follows'),
      })
    }
    expect(zstd.matches(Buffer.concat([skippable(3), noise(100)]))).toBe(false)
  })

  test('with a flipped bit is refused or gives the very bytes', async () => {
    const sums = filtered('zstd', ['-q', '-c', '--check'], disk)
    expect(await refusals(flipped(sums, 4, 150, 3), (file) => unpack(file), disk)).toBeGreaterThan(
      100,
    )
  })

  test('may need 128 MiB to unpack, and no more', async () => {
    expect((await unpack(header((27 - 10) << 3))).length).toBe(0)
    for (const window of [((27 - 10) << 3) | 1, (28 - 10) << 3, 0xff]) {
      await expect(unpack(header(window))).rejects.toMatchObject({
        code: 'DECOMPRESSION_LIMIT',
        message: expect.stringContaining('--long=27'),
      })
    }
    const size = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 1, 0, 0, 8, 0, 0, 0, 0])
    await expect(unpack(size)).rejects.toMatchObject({ code: 'DECOMPRESSION_LIMIT' })
  })

  test('that needs a dictionary is refused with the command that unpacks it', async () => {
    await expect(unpack(header(0, 7))).rejects.toMatchObject({
      code: 'UNSUPPORTED_FORMAT',
      message: expect.stringContaining('zstd -d -D'),
    })
  })
})

describe.skipIf(!hasZstd)('a zstd file of the program', () => {
  test.each([
    '-1',
    '-19',
    '--ultra -22',
    '--fast=5',
    '--no-check',
    '--check',
    '--long=27',
    '-19 --long=27',
    '--no-compress-literals',
    '--rsyncable -T2',
    '-B16384 -T2',
  ])('made with %s is read', async (args) => {
    expect((await unpack(made(...args.split(' ')))).equals(disk)).toBe(true)
  })

  test('made from a file, whose size it then tells, is read', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'disk')
    await writeFile(path, disk)
    const file = filtered('zstd', ['-q', '-c', '--long=31', path], Buffer.alloc(0))
    expect((await unpack(file)).equals(disk)).toBe(true)
  })

  test('--long=28 from a pipe is refused', async () => {
    await expect(unpack(made('--long=28'))).rejects.toMatchObject({ code: 'DECOMPRESSION_LIMIT' })
    await expect(unpack(made('--long=31'))).rejects.toMatchObject({ code: 'DECOMPRESSION_LIMIT' })
  })

  test.skipIf(!needs('pzstd', 'apt-get install zstd'))('made by pzstd is read', async () => {
    const large = Buffer.concat([noise(3_000_000), Buffer.alloc(6_000_000), disk])
    const file = filtered('pzstd', ['-q', '-c', '-p', '2'], large)
    expect((await unpack(file)).equals(large)).toBe(true)
  })
})
