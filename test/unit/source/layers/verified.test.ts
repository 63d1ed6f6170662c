import { execFileSync } from 'node:child_process'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { Outage } from '../../../../src/errors.ts'
import { digestOf } from '../../../../src/image/digest.ts'
import { findDisk } from '../../../../src/source/layers/find-disk.ts'
import { isTar } from '../../../../src/source/layers/is-tar.ts'
import { verified } from '../../../../src/source/layers/verified.ts'
import { uncounted } from '../../../../src/source/tally.ts'
import { layerHead } from '../../../../src/pack/tar-frame.ts'
import { smallDisk } from '../../../fixtures/corpus/contents.ts'
import { magics, tarOf } from '../../../fixtures/tar-by-hand.ts'
import {
  content,
  disk,
  enough,
  expectDisk,
  file,
  gzipped,
  layer,
  plain,
  refusal,
  zstd,
  type Stored,
} from './images.ts'

const tar = tarOf(file('etc/a'), disk, file('etc/b'))
const other = digestOf(Buffer.from('something else'))
const filtered = (program: string) => execFileSync(program, ['-c'], { input: tar, stdio: 'pipe' })

describe('a layer is read', () => {
  const sound: { readonly [title: string]: Stored } = {
    'as it is': plain(tar),
    'without a diff id': { blob: gzipSync(tar) },
    'as gzip, labelled zstd': gzipped(tar),
    'as zstd, labelled gzip': zstd(tar),
    'as xz': { blob: filtered('xz'), diffId: digestOf(tar) },
    'as bzip2': { blob: filtered('bzip2'), diffId: digestOf(tar) },
    'by sha512': { ...gzipped(tar), digest: digestOf(gzipSync(tar), 'sha512') },
    'by sha512 of the tar': { ...gzipped(tar), diffId: digestOf(tar, 'sha512') },
    'as it is, by two algorithms': { ...plain(tar), digest: digestOf(tar, 'sha512') },
    'as gzip of several members': {
      blob: Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]),
      diffId: digestOf(tar),
    },
    'as zstd of several frames': {
      blob: Buffer.concat([
        zstdCompressSync(tar.subarray(0, 700)),
        zstdCompressSync(tar.subarray(700)),
      ]),
      diffId: digestOf(tar),
    },
  }

  test.each(Object.entries(sound))('%s', async (_, stored) => {
    await expectDisk([tarOf(file('a')), stored])
    await expectDisk([stored, gzipped(tarOf(file('a')))])
  })
})

describe('a layer is refused', () => {
  /** What a manifest and a config say of a tar that is not so. */
  const lies: { readonly [title: string]: readonly [(tar: Buffer) => Stored, RegExp] } = {
    'with another digest': [
      (tar) => ({ ...gzipped(tar), digest: other }),
      /is not what it is said to be: expected sha256:\w{64}, found sha256:\w{64}/,
    ],
    'with another digest, not compressed': [
      (tar) => ({ blob: tar, digest: other }),
      /is not what it is said to be/,
    ],
    'with another diff id': [
      (tar) => ({ ...gzipped(tar), diffId: other }),
      /unpacks to something else: .* expected sha256:\w{64}, found sha256:\w{64}/,
    ],
    'with another diff id, not compressed': [
      (tar) => ({ blob: tar, diffId: other }),
      /is not compressed, so it cannot have the diff id sha256:/,
    ],
    'with another diff id by another algorithm': [
      (tar) => ({ blob: tar, diffId: digestOf(content, 'sha512') }),
      /unpacks to something else: .* expected sha512:/,
    ],
    'when it is shorter': [
      (tar) => ({ blob: tar, size: tar.length + 1 }),
      /has \d+ bytes, its manifest says \d+/,
    ],
    'when it is longer': [
      (tar) => ({ blob: tar, size: tar.length - 1 }),
      /has more than the \d+ bytes that its manifest says/,
    ],
    'when it is compressed twice': [
      (tar) => gzipped(zstd(tar).blob),
      /is compressed twice \(gzip around zstd\)/,
    ],
  }

  test.each(Object.entries(lies))('%s, with the disk in it', async (_, [lying, message]) => {
    const stored = lying(tar)
    const text = await refusal('INVALID_OCI', [stored])
    expect(text).toMatch(message)
    expect(text.startsWith(`layer ${layer(stored).part.digest} `)).toBe(true)
  })

  test.each(Object.entries(lies))('%s, above the disk', async (_, [lying, message]) => {
    expect(await refusal('INVALID_OCI', [tar, lying(tarOf(file('etc/a')))])).toMatch(message)
  })

  test('and the lower one is not opened when the upper one lies', async () => {
    const lower = { ...layer(plain(tar)), open: () => Promise.reject(new Error('opened')) }
    const upper = layer({ ...gzipped(tarOf(file('a'))), digest: other })
    const looking = findDisk(
      [lower, upper],
      { ...enough, tally: uncounted },
      AbortSignal.timeout(9000),
    )
    await expect(looking).rejects.toMatchObject({ code: 'INVALID_OCI' })
  })

  test('when the disk of it was given before', async () => {
    const big = tarOf(file('disk/x.img', Buffer.alloc(3_000_000)))
    const lying = layer({
      ...plain(big),
      digest: other,
      diffId: null,
      pieces: Array<number>(29).fill(100_000),
    })
    const { body } = await findDisk(
      [lying],
      { ...enough, tally: uncounted },
      AbortSignal.timeout(9000),
    )
    let given = 0
    const reading = (async () => {
      for await (const chunk of body) given += chunk.length
    })()
    await expect(reading).rejects.toMatchObject({ code: 'INVALID_OCI' })
    expect(given).toBeGreaterThan(2_000_000)
  })

  const damaged: { readonly [title: string]: readonly [Buffer, string, string] } = {
    'when it is cut off': [gzipSync(tar).subarray(0, -20), 'CORRUPT_ARCHIVE', 'was cut off'],
    'when it goes on': [
      Buffer.concat([gzipSync(tar), Buffer.from('more')]),
      'CORRUPT_ARCHIVE',
      'gzip',
    ],
    'when it is lz4': [
      Buffer.concat([Buffer.from('\x04\x22\x4d\x18', 'latin1'), tar]),
      'UNSUPPORTED_FORMAT',
      'lz4',
    ],
    'when it is compressed three times': [
      gzipSync(gzipSync(gzipSync(tar))),
      'DECOMPRESSION_LIMIT',
      'too deep',
    ],
    'when it unpacks to too much': [
      gzipSync(tarOf(file('a', Buffer.alloc(100_000_001)))),
      'DECOMPRESSION_LIMIT',
      'unpacks to more',
    ],
    'when it is a disk': [smallDisk(), 'CORRUPT_ARCHIVE', 'it is no tar'],
    'when it is JSON': [Buffer.from('{}'), 'CORRUPT_ARCHIVE', 'cut off'],
  }

  test.each(Object.entries(damaged))('%s', async (_, [blob, code, message]) => {
    const text = await refusal(code as 'CORRUPT_ARCHIVE', [{ blob }])
    expect(text).toContain(message)
    expect(text.startsWith(`layer ${digestOf(blob)}: `)).toBe(true)
  })

  test('with what its body fails with', async () => {
    const broken = new Outage('SOURCE_UNAVAILABLE', 'the source broke the connection')
    const open = async () => Readable.from(failing(broken), { objectMode: false })
    const options = { ...enough, tally: uncounted }
    const layers = [{ ...layer(plain(tar)), open }]
    await expect(findDisk(layers, options, AbortSignal.timeout(9000))).rejects.toBe(broken)
  })
})

async function* failing(error: Error) {
  yield tar.subarray(0, 100)
  throw error
}

describe('a blob', () => {
  const part = { digest: digestOf(content), size: content.length }
  const of = (bytes: Buffer) => Readable.from([bytes.subarray(0, 10), bytes.subarray(10)])

  test('comes as it is, and is counted', async () => {
    const counts: number[] = []
    const tally = { expect() {}, add: (bytes: number) => void counts.push(bytes) }
    expect((await buffer(verified(of(content), part, tally))).equals(content)).toBe(true)
    expect(counts).toEqual([10, content.length - 10])
  })

  test.each([
    ['shorter', content.subarray(1)],
    ['longer', Buffer.concat([content, Buffer.from('x')])],
    ['another', Buffer.alloc(content.length)],
  ])('that is %s fails', async (_, bytes) => {
    const reading = buffer(verified(of(bytes), part, uncounted))
    await expect(reading).rejects.toMatchObject({ code: 'INVALID_OCI' })
  })

  test('destroys what it reads from', async () => {
    const body = of(content)
    const stream = verified(body, part, uncounted)
    stream.destroy()
    await new Promise((resolve) => body.once('close', resolve))
    expect(body.destroyed).toBe(true)
  })
})

describe('a tar is known by its first block', () => {
  test.each([
    ['ustar', tar, true],
    ['GNU', tarOf({ ...disk, magic: magics.gnu }), true],
    ['of the time before', tarOf({ ...disk, magic: magics.v7 }), true],
    ['ours', layerHead('iso', 5), true],
    ['cut off', tar.subarray(0, 511), false],
    ['with another checksum', tarOf({ ...disk, after: (block) => void (block[0] = 0x44) }), false],
    ['of zeros', Buffer.alloc(1024), false],
    ['a disk', smallDisk(), false],
  ])('%s', (_, head, expected) => {
    expect(isTar(head)).toBe(expected)
  })
})
