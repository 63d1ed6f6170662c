import { crc32 } from 'node:zlib'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openLiblzma } from '../../../src/unwrap/liblzma.ts'
import { decodeXz } from '../../../src/unwrap/xz-decode.ts'
import { noise } from '../../fixtures/noise.ts'
import { needs } from '../../support/programs.ts'
import { atOnce, cut, disk, filtered, flipped, numbers, refusals, unpack } from './files.ts'

/** Without a thread, which costs more than all else here. */
async function decode(...pieces: readonly Buffer[]): Promise<Buffer> {
  using liblzma = await openLiblzma()
  return atOnce((port) => decodeXz(liblzma, port), pieces)
}

function made(args: string, input = disk): Buffer {
  return filtered('xz', ['-c', ...args.split(' ')], input)
}

const has = needs('xz', 'apt-get install xz-utils')
const hasProgram = describe.skipIf(!has)
const file = has ? made('-1') : Buffer.alloc(0)
const blocks = has ? made('-1 --block-size=50000') : Buffer.alloc(0)

/** The first block's header with other filters in it. */
function withFilters(...filters: readonly number[]): Buffer {
  const header = Buffer.alloc(16)
  header.set([3, ...filters])
  header.writeUInt32LE(crc32(header.subarray(0, 12)), 12)
  return Buffer.concat([file.subarray(0, 12), header, file.subarray(24)])
}

hasProgram('an xz file', () => {
  test.each([
    '-0',
    '-9e',
    '--check=none',
    '--check=crc32',
    '--check=crc64',
    '--check=sha256',
    '--block-size=50000',
    '-T2 --block-size=100000',
    '--x86 --lzma2',
    '--arm64 --lzma2=preset=1',
    '--delta=dist=4 --x86 --lzma2',
    '--lzma2=dict=128MiB',
    '--lzma2=lc=4,lp=0,pb=0',
  ])('made with %s is read', async (args) => {
    expect((await decode(made(args))).equals(disk)).toBe(true)
  })

  test('that needs 128 MiB to unpack is read in a thread as well', async () => {
    expect((await unpack(made('--lzma2=dict=128MiB'))).equals(disk)).toBe(true)
  })

  test('may have several streams, padded with multiples of four zeros', async () => {
    const twice = Buffer.concat([disk, disk])
    for (const padding of [0, 4, 400]) {
      const zeros = Buffer.alloc(padding)
      expect((await decode(file, zeros, blocks, zeros)).equals(twice)).toBe(true)
      expect((await unpack(Buffer.concat([file, zeros, blocks, zeros]))).equals(twice)).toBe(true)
    }
    for (const padding of [1, 2, 3, 6]) {
      await expect(decode(file, Buffer.alloc(padding))).rejects.toMatchObject({
        code: 'CORRUPT_ARCHIVE',
      })
      await expect(decode(file, Buffer.alloc(padding), file)).rejects.toMatchObject({
        code: 'CORRUPT_ARCHIVE',
      })
    }
  })

  test('gives the same in any chunking', async () => {
    const several = Buffer.concat([file, Buffer.alloc(8), blocks])
    const expected = Buffer.concat([disk, disk])
    const cuts = fc.array(fc.nat(several.length), { maxLength: 20 })
    const property = fc.asyncProperty(cuts, async (places) => {
      expect((await decode(...cut(several, places))).equals(expected)).toBe(true)
    })
    await fc.assert(property, { numRuns: 50, seed: 1 })
    const small = made('-1', Buffer.from('disk'))
    expect(String(await decode(...cut(small, [...small.keys()])))).toBe('disk')
  })

  test('may be empty', async () => {
    const empty = made('-1', Buffer.alloc(0))
    expect((await decode(empty)).length).toBe(0)
    expect((await decode(empty, empty)).length).toBe(0)
  })

  test('that was cut is refused, wherever, and the message says where', async () => {
    for (const each of [file, blocks, made('-1 --check=none')]) {
      for (const length of numbers(100, 8, each.length - 1, 2)) {
        await expect(decode(each.subarray(0, length))).rejects.toMatchObject({
          code: 'CORRUPT_ARCHIVE',
          message: expect.stringContaining(`cut off at byte ${length} of`),
        })
      }
    }
    for (const length of [8, 5000, file.length - 1]) {
      await expect(unpack(file.subarray(0, length))).rejects.toMatchObject({
        code: 'CORRUPT_ARCHIVE',
      })
    }
  })

  test('with something else behind it is refused', async () => {
    for (const garbage of [noise(500), Buffer.from('end\n'), Buffer.from([0, 0, 0, 1])]) {
      await expect(decode(file, garbage)).rejects.toMatchObject({ code: 'CORRUPT_ARCHIVE' })
      await expect(unpack(file, garbage)).rejects.toMatchObject({
        code: 'CORRUPT_ARCHIVE',
        message: expect.stringContaining(`begins at byte ${file.length} of`),
      })
    }
  })

  test('with a flipped bit is refused', async () => {
    for (const args of ['-1', '--check=sha256 --block-size=50000']) {
      const damaged = flipped(made(args), 6, 150, 3)
      expect(await refusals(damaged, decode, disk)).toBe(150)
    }
  })

  test('whose index says something else than its blocks is refused', async () => {
    const other = made('-1', disk.subarray(1))
    const size = (each: Buffer) => (each.readUInt32LE(each.length - 8) + 1) * 4 + 12
    const mixed = [file.subarray(0, -size(file)), other.subarray(-size(other))]
    await expect(decode(...mixed)).rejects.toMatchObject({
      code: 'CORRUPT_ARCHIVE',
      message: expect.stringContaining('the index'),
    })
  })

  test('that needs more than 128 MiB to unpack is refused with what to do', async () => {
    for (const dictionary of ['129MiB', '192MiB', '1GiB']) {
      await expect(decode(made(`--lzma2=preset=0,dict=${dictionary}`))).rejects.toMatchObject({
        code: 'DECOMPRESSION_LIMIT',
        message: expect.stringContaining('xz -9'),
      })
    }
  })

  test('with a filter or a check that nobody uses is refused with what to do', async () => {
    // LZMA2 not the last, none at all, an unknown one before it.
    for (const filters of [
      [1, 0x21, 1, 0x16, 0x03, 1, 0],
      [0, 0x03, 1, 0],
      [1, 0x30, 0, 0x21, 1, 0x16],
    ]) {
      await expect(decode(withFilters(...filters))).rejects.toMatchObject({
        code: 'UNSUPPORTED_FORMAT',
        message: expect.stringContaining('xz -d'),
      })
    }
    const other = Buffer.from(file)
    other[7] = 2
    other.writeUInt32LE(crc32(other.subarray(6, 8)), 8)
    await expect(decode(other)).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' })
  })
})
