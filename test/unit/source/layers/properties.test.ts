import * as fc from 'fast-check'
import { pack } from 'tar-stream'
import { buffer } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { Flaw } from '../../../../src/errors.ts'
import { digestOf } from '../../../../src/image/digest.ts'
import { extended, member, records, tarOf } from '../../../fixtures/tar-by-hand.ts'
import { content, disk, file, find, folder, gzipped, plain, type Stored } from './images.ts'

/** Each with the extended header before it, and the bytes that pad it. */
const members = [
  { bytes: [member(folder('./'))], padding: 0 },
  { bytes: [member(file('etc/a', Buffer.alloc(700, 'a')))], padding: 324 },
  {
    bytes: [extended(records({ path: disk.name, size: String(content.length) })), member(disk)],
    padding: 72,
  },
  {
    bytes: [
      extended(Buffer.from(`usr/${'b'.repeat(120)}\0`), 'L'),
      member(file('usr/b', Buffer.alloc(2000, 'b'))),
    ],
    padding: 48,
  },
]
const archive = tarOf(...members.flatMap(({ bytes }) => bytes))

/** Whether what is left has no member that was cut. */
function isWhole(length: number): boolean {
  let end = 0
  for (const { bytes, padding } of members) {
    end += Buffer.concat(bytes).length
    if (length >= end - padding && length <= end) return true
  }
  return length >= end + 512
}

/** How a tar that was cut is read: what is not whole is refused, the rest gives the very disk or none. */
function expected(length: number): RegExp {
  if (!isWhole(length)) return /^CORRUPT_ARCHIVE /
  const disk = members.slice(0, 3).flatMap(({ bytes }) => bytes)
  return length >= Buffer.concat(disk).length - 72
    ? new RegExp(`^disk/x.img 3000 ${digestOf(content)}$`)
    : /^INVALID_OCI no file under/
}

/** A tar that is refused only behind its disk. */
const unsafe = tarOf(disk, file('etc/a'), file('disk/y.img'))

/** The disk, or how it is refused. */
async function outcome(stored: Stored | Buffer): Promise<string> {
  try {
    const { name, size, bytes } = await find([stored])
    return `${name} ${size} ${digestOf(bytes)}`
  } catch (error) {
    if (!(error instanceof Flaw)) throw error
    return `${error.code} ${error.message}`
  }
}

describe('a tar that is cut off', () => {
  const boundaries = Array.from({ length: archive.length / 512 }, (_, at) => at * 512)

  test.each(boundaries)('at byte %d gives no other disk', async (length) => {
    expect(await outcome(archive.subarray(0, length))).toMatch(expected(length))
  })

  test('anywhere gives no other disk', () =>
    fc.assert(
      fc.asyncProperty(fc.nat({ max: archive.length - 1 }), async (length) => {
        const blob = archive.subarray(0, length)
        expect(await outcome({ blob })).toMatch(expected(length))
      }),
      { numRuns: 200 },
    ))

  test('behind its disk and compressed anew gives no other disk', () =>
    fc.assert(
      fc.asyncProperty(fc.nat({ max: archive.length - 1 }), async (length) => {
        expect(await outcome(gzipped(archive.subarray(0, length)))).toMatch(expected(length))
      }),
      { numRuns: 100 },
    ))
})

describe('the pieces that a layer comes in', () => {
  const pieces = fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.nat({ max: 3000 })), {
    maxLength: 200,
  })

  test.each([
    ['found', archive],
    ['refused', unsafe],
  ])('make no difference (%s)', async (_, tar) => {
    const whole = await outcome(plain(tar))
    const wholeZipped = await outcome(gzipped(tar))
    await fc.assert(
      fc.asyncProperty(pieces, async (pieces) => {
        expect(await outcome({ ...plain(tar), pieces })).toBe(whole)
        expect(await outcome({ ...gzipped(tar), pieces })).toBe(wholeZipped)
      }),
      { numRuns: 100 },
    )
  })

  test('may be single bytes', async () => {
    const single = Array<number>(archive.length - 1).fill(1)
    expect(await outcome({ ...plain(archive), pieces: single })).toBe(await outcome(archive))
  })
})

describe('a byte that is another one', () => {
  test('never gives another disk, and nothing but a Flaw', () =>
    fc.assert(
      fc.asyncProperty(
        fc.nat({ max: archive.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, change) => {
          const blob = Buffer.from(archive)
          blob.writeUInt8(blob.readUInt8(at) ^ change, at)
          const told = await outcome({ blob })
          expect(told).toMatch(/^(?:[A-Z_]+ |disk\/x\.img 3000 |disk\/)/)
          const lied = await outcome({ blob, digest: digestOf(archive) })
          expect(lied).toMatch(/^(?:INVALID_OCI|UNSAFE_ARCHIVE|CORRUPT_ARCHIVE) /)
        },
      ),
      { numRuns: 300 },
    ))
})

/** Names and contents that tar-stream packs as it likes, with PAX where it has to. */
const entries = fc.array(
  fc.record({
    name: fc
      .array(fc.stringMatching(/^[a-zA-Z0-9äöü._-]{1,60}$/), { minLength: 1, maxLength: 5 })
      .map((parts) => parts.join('/'))
      .filter((name) => !/^disk|(?:^|\/)\.\.?(?:\/|$)|\.wh\./.test(name)),
    data: fc.uint8Array({ maxLength: 2000 }),
  }),
  { maxLength: 12 },
)

test('whatever lies before and behind it, the disk is found in what tar-stream packs', () =>
  fc.assert(
    fc.asyncProperty(
      entries,
      entries,
      fc.uint8Array({ maxLength: 5000 }),
      async (before, behind, data) => {
        const packing = pack()
        for (const { name, data } of before) packing.entry({ name }, Buffer.from(data))
        packing.entry({ name: 'disk/x.img' }, Buffer.from(data))
        for (const { name, data } of behind) packing.entry({ name }, Buffer.from(data))
        packing.finalize()
        const tar = await buffer(Readable.from(packing))
        const found = await find([plain(tar)])
        expect(found.name).toBe('disk/x.img')
        expect(found.bytes.equals(data)).toBe(true)
      },
    ),
    { numRuns: 100 },
  ))
