import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { crc32, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { noise } from '../../fixtures/noise.ts'
import { unwrap } from '../../../src/unwrap/unwrap.ts'
import { needs } from '../../support/programs.ts'
import { filtered, flipped, numbers, refusals } from './files.ts'

const disk = noise(200_000)
const archive = gzipSync(disk)
const never = new AbortController().signal

async function unpack(pieces: readonly Buffer[]): Promise<Buffer> {
  const source = Readable.from(pieces, { objectMode: false })
  const { body } = await unwrap(source, { maxOutput: 10_000_000 }, never)
  return buffer(body)
}

describe('a gzip stream', () => {
  test('may have several members, cut anywhere', async () => {
    const both = Buffer.concat([archive, archive])
    for (const cut of [
      archive.length - 1,
      archive.length,
      archive.length + 1,
      archive.length + 9,
    ]) {
      const bytes = await unpack([both.subarray(0, cut), both.subarray(cut)])
      expect(bytes.equals(Buffer.concat([disk, disk]))).toBe(true)
    }
  })

  test('may be padded with zeros', async () => {
    const zeros = Buffer.alloc(700)
    expect((await unpack([archive, zeros, zeros])).equals(disk)).toBe(true)
    expect((await unpack([Buffer.concat([archive, zeros]), zeros])).equals(disk)).toBe(true)
  })

  test('with anything behind it is refused, behind padding as well', async () => {
    const zeros = Buffer.alloc(700)
    const garbage = Buffer.from('garbage')
    const files = [
      [archive, garbage],
      [Buffer.concat([archive, garbage])],
      [Buffer.concat([archive, zeros, garbage])],
      [Buffer.concat([archive, zeros]), garbage],
      [archive, zeros, garbage],
      [archive, zeros, archive],
      [archive, zeros, zeros, Buffer.from([0, 1])],
    ]
    for (const pieces of files) {
      await expect(unpack(pieces)).rejects.toMatchObject({
        code: 'CORRUPT_ARCHIVE',
        message: expect.stringMatching(/byte \d+ of the compressed file/),
      })
    }
  })

  test('that was cut is refused, wherever, and the message says where', async () => {
    for (const length of [
      3,
      9,
      10,
      11,
      500,
      archive.length - 9,
      archive.length - 8,
      archive.length - 1,
    ]) {
      await expect(unpack([archive.subarray(0, length)])).rejects.toMatchObject({
        code: 'CORRUPT_ARCHIVE',
        message: expect.stringContaining(`cut off at byte ${length}`),
      })
    }
  })

  test('that is damaged is refused', async () => {
    for (const at of [4000, archive.length - 6, archive.length - 2]) {
      const spoilt = Buffer.from(archive)
      spoilt[at] = (spoilt[at] ?? 0) ^ 0x10
      await expect(unpack([spoilt])).rejects.toMatchObject({ code: 'CORRUPT_ARCHIVE' })
    }
  })

  test('of nothing gives nothing', async () => {
    expect((await unpack([gzipSync('')])).length).toBe(0)
  })

  test('cut at any of many places is refused', async () => {
    for (const length of numbers(100, 3, archive.length - 1, 2)) {
      await expect(unpack([archive.subarray(0, length)])).rejects.toMatchObject({
        code: 'CORRUPT_ARCHIVE',
      })
    }
  })

  test('with a flipped bit is refused or gives the very bytes', async () => {
    const damaged = flipped(archive, 3, 150, 3)
    expect(await refusals(damaged, (file) => unpack([file]), disk)).toBeGreaterThan(100)
  })

  test('may have a name, a comment, extra fields and a sum in its header', async () => {
    const flags = 0x02 | 0x04 | 0x08 | 0x10
    const fixed = Buffer.from([0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3])
    const fields = Buffer.concat([fixed, Buffer.from('\x03\0abcdisk.img\0a comment\0', 'latin1')])
    const sum = Buffer.alloc(2)
    sum.writeUInt16LE(crc32(fields) & 0xffff)
    const file = Buffer.concat([fields, sum, archive.subarray(10)])
    expect((await unpack([file])).equals(disk)).toBe(true)
    file[fields.length] = (file[fields.length] ?? 0) ^ 1
    await expect(unpack([file])).rejects.toMatchObject({ code: 'CORRUPT_ARCHIVE' })
  })

  test.skipIf(!needs('pigz', 'apt-get install pigz'))('made by pigz is read', async () => {
    for (const args of ['-1', '-9 -b 128 -p 2', '-i']) {
      expect(
        (await unpack([filtered('pigz', ['-c', ...args.split(' ')], disk)])).equals(disk),
      ).toBe(true)
    }
  })
})
