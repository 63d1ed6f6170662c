import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import * as fc from 'fast-check'
import { extract, type Header } from 'tar-stream'
import { describe, expect, test } from 'vitest'
import { formats } from '../../../src/image/format.ts'
import { diskName, headSize, layerHead, layerSize, layerTail } from '../../../src/pack/tar-frame.ts'

const gib = 1024 ** 3
const boundaries = [0, 1, 511, 512, 513, 8 * gib - 1, 8 * gib, 8 * gib + 1, 5 * 1024 * gib] as const

const anyFormat = fc.constantFrom(...formats)
const anySize = fc.oneof(fc.constantFrom(...boundaries), fc.maxSafeNat())
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

type Entry = { readonly header: Header; readonly content: Buffer }

async function entriesOf(layer: Buffer): Promise<Entry[]> {
  const entries: Entry[] = []
  const reader = Readable.from([layer]).pipe(extract())
  for await (const entry of reader) {
    entries.push({ header: entry.header, content: await buffer(entry) })
  }
  return entries
}

/** The two headers of a head whose disk never comes. */
async function headersOf(head: Buffer): Promise<Header[]> {
  const headers: Header[] = []
  const reader = extract()
  const { promise, resolve, reject } = Promise.withResolvers<undefined>()
  reader.on('error', reject)
  reader.on('entry', (header, content, next) => {
    headers.push(header)
    if (headers.length === 2) return resolve(undefined)
    content.resume()
    next()
  })
  reader.write(head)
  await promise
  reader.destroy()
  return headers
}

const owned = { uid: 107, gid: 107, mtime: new Date(0) }

describe('layerHead', () => {
  test('is one page for every format and size, and always the same', () => {
    fc.assert(
      fc.property(anyFormat, anySize, (format, size) => {
        const head = layerHead(format, size)
        expect(head.length).toBe(headSize)
        expect(layerHead(format, size).equals(head)).toBe(true)
      }),
    )
  })

  test.each(boundaries)('tells tar-stream of a disk of %d bytes', async (size) => {
    const [directory, file] = await headersOf(layerHead('qcow2', size))
    expect(directory).toMatchObject({ name: 'disk/', type: 'directory', mode: 0o755, ...owned })
    expect(file).toMatchObject({ name: 'disk/disk.qcow2', type: 'file', size, mode: 0o444 })
    expect(file).toMatchObject(owned)
  })

  test('keeps the size in its octal field up to one byte below 8 GiB', () => {
    const head = layerHead('raw', 8 * gib - 1)
    expect(head.toString('ascii', 3584 + 124, 3584 + 136)).toBe('77777777777\0')
    expect(head.toString('ascii', 1024, 1037)).toBe('2560 comment=')
  })

  test('moves the size into a PAX record from 8 GiB on', () => {
    const head = layerHead('raw', 8 * gib)
    expect(head.toString('ascii', 3584 + 124, 3584 + 136)).toBe('00000000000\0')
    expect(head.toString('ascii', 1024, 1057)).toBe('19 size=8589934592\n2541 comment=.')
  })

  test('holds PAX records that measure themselves and fill their block', () => {
    fc.assert(
      fc.property(anySize, (size) => {
        const records = layerHead('iso', size).toString('ascii', 1024, 3584)
        let offset = 0
        while (offset < records.length) {
          const length = Number.parseInt(records.slice(offset), 10)
          expect(records[offset + length - 1]).toBe('\n')
          offset += length
        }
        expect(offset).toBe(2560)
      }),
    )
  })

  // A digest that changes here changes the digest of every image that is imported again: that is a new layout.
  test.each([
    ['raw', 1500, '88632fb228361c7d52ee59f41c7c366ed400506c2e229836e86e2f2c3db864b7'],
    ['qcow2', 9 * gib, '8c4b6bd909040e9acb19ca96a6618f2200ee064efb31ec7ef6939fa75f9bdc8b'],
  ] as const)('has the pinned bytes for %s of %d bytes', (format, size, pinned) => {
    expect(sha256(layerHead(format, size))).toBe(pinned)
  })

  test.each([-1, 1.5, Number.NaN, 2 ** 53])('refuses to pack %d bytes', (size) => {
    expect(() => layerHead('raw', size)).toThrow('cannot be packed')
  })
})

describe('layerTail', () => {
  test('ends the layer on a whole block after two blocks of zeros', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 45), (size) => {
        const tail = layerTail(size)
        expect(headSize + size + tail.length).toBe(layerSize(size))
        expect(layerSize(size) % 512).toBe(0)
        expect(tail.length).toBeGreaterThanOrEqual(1024)
        expect(tail.length).toBeLessThan(1024 + 512)
        expect(tail.every((byte) => byte === 0)).toBe(true)
      }),
    )
  })

  test.each([
    [1, 4096 + 512 + 1024],
    [512, 4096 + 512 + 1024],
    [513, 4096 + 1024 + 1024],
  ])('makes a layer of a disk of %d bytes take %d', (size, expected) => {
    expect(layerSize(size)).toBe(expected)
  })
})

test('tar-stream takes out of a layer exactly the disk that went in', async () => {
  const disks = fc.uint8Array({ minLength: 1, maxLength: 65_536, size: 'max' })
  await fc.assert(
    fc.asyncProperty(anyFormat, disks, async (format, bytes) => {
      const disk = Buffer.from(bytes)
      const layer = Buffer.concat([layerHead(format, disk.length), disk, layerTail(disk.length)])
      const [directory, file, ...more] = await entriesOf(layer)
      expect(more).toEqual([])
      expect(directory?.header.name).toBe('disk/')
      expect(file?.header.name).toBe(`disk/${diskName(format)}`)
      expect(file?.content.equals(disk)).toBe(true)
    }),
    { numRuns: 60 },
  )
})
