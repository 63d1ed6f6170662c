import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateRawSync, zstdCompressSync } from 'node:zlib'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openQcow2 } from '../../../src/inspect/qcow2-disk.ts'
import { noise } from '../../fixtures/noise.ts'
import { qcow2, type Qcow2Fields } from '../../fixtures/qcow2.ts'
import { needs } from '../../support/programs.ts'
import { Random } from '../../support/random.ts'
import { look, wholeFile } from '../../support/surveys.ts'

const never = new AbortController().signal
const mebibyte = 1_048_576
let folder = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-qcow2-disk-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const run = (program: string, ...args: readonly string[]) =>
  execFileSync(program, args, { cwd: folder, encoding: 'utf8', stdio: 'pipe', timeout: 30_000 })
const bytesOf = (name: string) => readFileSync(join(folder, name))

type Kind = { readonly options: string; readonly cluster: number; readonly packs: boolean }

/** A command for qemu-io that writes somewhere in the disk, to its very end now and then. */
function write(random: Random, { cluster, packs }: Kind, size: number): string {
  const sectors = size / 512
  const length = 512 * (1 + random.below(Math.min(sectors, random.pick([8, 300]))))
  const last = size - length
  const offset = random.below(4) === 0 ? last : 512 * random.below(last / 512 + 1)
  const start = offset - (offset % cluster)
  const pattern = `-P ${1 + random.below(250)}`
  const whole = `write -c ${pattern} ${start} ${Math.min(cluster, size - start)}`
  const plain = random.pick(['write', 'write', 'write -z', 'write -z -u', 'discard'])
  if (packs && random.below(2) === 0) return whole
  return `${plain} ${plain === 'write' ? pattern : ''} ${offset} ${length}`
}

function randomImage(kind: Kind, seed: number): void {
  const random = new Random(seed)
  const size = 512 * (1 + random.below((3 * mebibyte) / 512))
  run('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', kind.options, 'a.qcow2', String(size))
  const writes = Array.from({ length: 12 }, () => ['-c', write(random, kind, size)])
  // It goes on after a command that fails, as a compressed write does where there is a cluster already.
  spawnSync('qemu-io', ['-f', 'qcow2', ...writes.flat(), 'a.qcow2'], {
    cwd: folder,
    timeout: 30_000,
  })
  run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', 'a.qcow2', 'a.raw')
}

/** The whole disk, and pieces of it at places that one generator finds, with the same seed on every run. */
async function expectSame(image: Buffer, raw: Buffer): Promise<void> {
  const disk = await openQcow2(wholeFile(image).file, never)
  expect(disk.size).toBe(raw.length)
  expect((await disk.read(0, disk.size, never)).equals(raw)).toBe(true)
  const place = fc.nat(raw.length + 1000)
  const length = fc.oneof(fc.nat(2000), fc.nat(raw.length))
  await fc.assert(
    fc.asyncProperty(place, length, async (offset, count) => {
      const found = await disk.read(offset, count, never)
      expect(found.equals(raw.subarray(offset, offset + count))).toBe(true)
    }),
    { numRuns: 30, seed: 11 },
  )
}

describe.skipIf(!needs('qemu-img', 'apt-get install qemu-utils'))('the disk in a qcow2', () => {
  const kinds: readonly (readonly [string, Kind])[] = [
    ['version 2', { options: 'compat=0.10', cluster: 65_536, packs: true }],
    ['zlib', { options: 'compat=1.1', cluster: 65_536, packs: true }],
    ['zstd', { options: 'compression_type=zstd', cluster: 65_536, packs: true }],
    ['the smallest clusters', { options: 'cluster_size=512', cluster: 512, packs: true }],
    [
      '4 KiB, zstd',
      { options: 'cluster_size=4k,compression_type=zstd', cluster: 4096, packs: true },
    ],
    ['the largest clusters', { options: 'cluster_size=2M', cluster: 2 * mebibyte, packs: true }],
    ['extended L2', { options: 'extended_l2=on,cluster_size=128k', cluster: 131_072, packs: true }],
    [
      'extended L2, small',
      { options: 'extended_l2=on,cluster_size=16k', cluster: 16_384, packs: false },
    ],
    ['metadata', { options: 'preallocation=metadata', cluster: 65_536, packs: false }],
  ]

  test.each(kinds)('(%s) reads as qemu-img converts it', async (_title, kind) => {
    for (const seed of [1, 2]) {
      randomImage(kind, seed)
      expect((await look('qcow2', bytesOf('a.qcow2'))).code).toBeNull()
      await expectSame(bytesOf('a.qcow2'), bytesOf('a.raw'))
    }
  })
})

/** One compressed cluster of 4 KiB at cluster 5, and the disk has two. */
function packed(data: Buffer, fields: Partial<Qcow2Fields> = {}): Buffer {
  const bytes = qcow2({ clusterBits: 12, size: 8192n, length: 8 * 4096, ...fields })
  bytes.writeBigUInt64BE(BigInt(4 * 4096), 3 * 4096)
  bytes.writeBigUInt64BE((1n << 62n) | (7n << 58n) | BigInt(5 * 4096), 4 * 4096)
  bytes.set(data, 5 * 4096)
  return bytes
}

const zstd = { incompatible: 8n, compression: 1 }
const open = (bytes: Buffer) => openQcow2(wholeFile(bytes).file, never)

describe('a compressed cluster', () => {
  const content = noise(4096).fill(7, 500)

  test.each([
    ['zlib', deflateRawSync(content, { windowBits: 12 }), {}],
    ['zstd', zstdCompressSync(content), zstd],
    ['zstd, almost nothing', zstdCompressSync(Buffer.alloc(4096, 9)), zstd],
  ])('(%s) may be followed by anything', async (_title, data, fields) => {
    const bytes = packed(Buffer.concat([data, Buffer.alloc(1000, 0xff)]), fields)
    const disk = await open(bytes)
    const found = await disk.read(0, 8192, never)
    expect(found.subarray(4096).equals(Buffer.alloc(4096))).toBe(true)
    expect(found.subarray(499, 501)).toEqual(await disk.read(499, 2, never))
    const [first] = found
    expect(first).toBe(data.length > 100 ? content[0] : 9)
  })

  test.each([
    ['no compressed bytes', Buffer.alloc(3000, 0xff), {}],
    ['too few bytes', deflateRawSync(content.subarray(1)), {}],
    ['too many bytes', deflateRawSync(Buffer.concat([content, content])), {}],
    ['a far window', deflateRawSync(Buffer.concat([content, Buffer.alloc(1)])), {}],
    ['no frame', Buffer.alloc(3000, 0xff), zstd],
    ['too few bytes, zstd', zstdCompressSync(content.subarray(1)), zstd],
    ['too many bytes, zstd', zstdCompressSync(Buffer.alloc(2 ** 20)), zstd],
  ])('is refused with %s', async (_title, data, fields) => {
    const disk = await open(packed(data, fields))
    await expect(disk.read(0, 1, never)).rejects.toMatchObject({
      code: 'CORRUPT_ARCHIVE',
      message:
        'the compressed cluster for byte 0 of the disk, at byte 20480 of the file, is damaged',
    })
    expect(await disk.read(4096, 10, never)).toEqual(Buffer.alloc(10))
  })
})

describe('a damaged qcow2', () => {
  const spoilt = (offset: number, value: bigint, fields: Partial<Qcow2Fields> = {}) => {
    const bytes = packed(Buffer.alloc(1), fields)
    bytes.writeBigUInt64BE(value, offset)
    return bytes
  }

  test.each([
    ['a table behind the end', spoilt(3 * 4096, BigInt(8 * 4096))],
    ['a table that is not aligned', spoilt(3 * 4096, BigInt(4 * 4096 + 512))],
    ['a cluster behind the end', spoilt(4 * 4096, BigInt(8 * 4096))],
    ['a cluster that is not aligned', spoilt(4 * 4096, BigInt(5 * 4096 + 512))],
    ['a zero flag in version 2', spoilt(4 * 4096, 1n, { version: 2 })],
  ])('is refused with %s', async (_title, bytes) => {
    const disk = await open(bytes)
    await expect(disk.read(0, 1, never)).rejects.toMatchObject({ code: 'INVALID_HEADER' })
  })

  test('stops when the signal says so', async () => {
    const disk = await open(packed(Buffer.alloc(1)))
    const reason = new Error('enough')
    await expect(disk.read(0, 1, AbortSignal.abort(reason))).rejects.toBe(reason)
  })
})
