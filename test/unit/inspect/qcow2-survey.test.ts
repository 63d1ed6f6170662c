import { deflateRawSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { survey } from '../../../src/inspect/survey.ts'
import { noise } from '../../fixtures/noise.ts'
import { qcow2, snapshotEntry, type Qcow2Fields } from '../../fixtures/qcow2.ts'
import { look, wholeFile } from '../../support/surveys.ts'

const copied = 1n << 63n
const compressed = 1n << 62n

type Made = Partial<Qcow2Fields> & {
  /** Clusters of the file. */
  readonly clusters?: number
  /** Of the one L2 table; two words each with extended L2. */
  readonly l2?: readonly bigint[]
  readonly l1?: readonly bigint[]
  readonly refcounts?: readonly bigint[]
}

/** Clusters: 0 header, 1 refcount table, 2 its block, 3 L1 table, 4 L2 table, from 5 on data. */
function image({ clusters = 8, l2 = [], l1, refcounts, ...fields }: Made = {}): Buffer {
  const clusterBits = fields.clusterBits ?? 12
  const cluster = 2 ** clusterBits
  const length = clusters * cluster
  const bytes = qcow2({ clusterBits, size: BigInt(cluster * 8), length, ...fields })
  put(bytes, cluster, refcounts ?? [BigInt(2 * cluster)])
  put(bytes, 3 * cluster, l1 ?? [copied | BigInt(4 * cluster)])
  put(bytes, 4 * cluster, l2)
  return bytes
}

function put(bytes: Buffer, offset: number, words: readonly bigint[]): void {
  words.forEach((word, index) => bytes.writeBigUInt64BE(word, offset + index * 8))
}

function word(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}

const at = (cluster: number, bits = 12) => copied | BigInt(cluster * 2 ** bits)
const allocated = async (bytes: Buffer) => (await look('qcow2', bytes)).allocatedBytes

async function refusal(bytes: Buffer): Promise<string> {
  const { code, message } = await look('qcow2', bytes)
  expect(code).toBe('INVALID_HEADER')
  return message
}

describe('a standard cluster', () => {
  test('has to lie in the file', async () => {
    const bytes = image({ l2: [at(5), 0n, at(7)] })
    expect(await allocated(bytes)).toBe(8192)
    expect(await refusal(bytes.subarray(0, -1))).toBe(
      'the cluster for byte 8192 of the disk would end at byte 32768 but the file has 32767 bytes; it was cut short',
    )
  })

  test('has to be there only as far as the disk reaches', async () => {
    const bytes = image({ size: 4608n, l2: [at(6), at(7)] })
    const end = 7 * 4096 + 512
    expect(await allocated(bytes.subarray(0, end))).toBe(4096 + 512)
    expect(await refusal(bytes.subarray(0, end - 1))).toContain('cut short')
  })

  test('behind the end of the disk has to begin in the file', async () => {
    const bytes = image({ size: 4096n, l2: [at(6), at(7)] })
    expect(await allocated(bytes.subarray(0, 7 * 4096 + 1))).toBe(4096)
    expect(await refusal(bytes.subarray(0, 7 * 4096))).toContain('cut short')
  })

  test('is not counted where it reads as zeros, and has to begin in the file', async () => {
    expect(await allocated(image({ l2: [1n, at(7) | 1n, at(5)] }))).toBe(4096)
    expect(await refusal(image({ l2: [at(8) | 1n] }))).toContain('cut short')
    expect(await refusal(image({ version: 2, l2: [1n] }))).toContain('zero flag')
    expect(await refusal(image({ version: 2, l2: [at(5) | 1n] }))).toContain('zero flag')
  })

  test('is aligned and has no bits that mean nothing', async () => {
    for (const bit of [1, 2, 8, 9, 11, 56, 61]) {
      expect(await refusal(image({ l2: [at(5) | (1n << BigInt(bit))] }))).toMatch(/damaged$/)
    }
    for (const bit of [12, 40, 55]) {
      expect((await look('qcow2', image({ l2: [at(6) | (1n << BigInt(bit))] }))).code).toBe(
        bit === 12 ? null : 'INVALID_HEADER',
      )
    }
  })
})

describe('extended L2', () => {
  const extended = { incompatible: 16n, clusterBits: 14, size: 131_072n }
  const made = (l2: readonly bigint[]) => image({ ...extended, l2 })
  const zeros = (bits: bigint) => bits << 32n

  test('tells of subclusters', async () => {
    const l2 = [
      at(5, 14),
      0b101n,
      at(6, 14),
      0xffff_ffffn,
      0n,
      zeros(1n),
      at(7, 14),
      zeros(3n) | 4n,
    ]
    expect(await allocated(made(l2))).toBe(2 * 512 + 16_384 + 512)
  })

  test('asks for the file only up to the last subcluster with data', async () => {
    const bytes = made([at(7, 14), 0b100n])
    const end = 7 * 16_384 + 3 * 512
    expect(await allocated(bytes.subarray(0, end))).toBe(512)
    expect(await refusal(bytes.subarray(0, end - 1))).toContain('cut short')
    const odd = image({ ...extended, size: 1024n, l2: [at(7, 14), 0xffff_ffffn] })
    expect(await allocated(odd.subarray(0, 7 * 16_384 + 1024))).toBe(1024)
  })

  test.each([
    ['data and zeros at once', [at(5, 14), zeros(1n) | 1n]],
    ['data without a cluster', [0n, 1n]],
    ['the zero flag of other images', [at(5, 14) | 1n, 1n]],
    ['no alignment', [at(5, 14) + 8192n, 1n]],
  ])('is refused with %s', async (_title, l2) => {
    expect(await refusal(made(l2))).toContain('damaged')
  })

  test('ignores the bitmap of a compressed cluster, as QEMU does', async () => {
    expect(await allocated(made([compressed | BigInt(5 * 16_384), 2n ** 64n - 1n]))).toBe(16_384)
  })
})

describe('a compressed cluster', () => {
  const sectors = (more: number) => BigInt(more) << 58n
  const start = 5 * 4096 + 100

  function packed(content: Buffer): { readonly bytes: Buffer; readonly end: number } {
    const data = deflateRawSync(content, { windowBits: 12 })
    const more = Math.floor((start + data.length - 1) / 512) - Math.floor(start / 512)
    const bytes = image({ l2: [compressed | sectors(more) | BigInt(start)] })
    bytes.set(data, start)
    return { bytes, end: start + data.length }
  }

  test('counts as a whole one', async () => {
    expect(await allocated(packed(noise(4096).fill(0, 1000)).bytes)).toBe(4096)
    expect(await allocated(image({ size: 512n, l2: [compressed | BigInt(start)] }))).toBe(512)
  })

  test('may lack what is padding, and nothing else', async () => {
    const { bytes, end } = packed(noise(4096).fill(0, 1000))
    expect(end % 512).not.toBe(0)
    expect(await allocated(bytes.subarray(0, end))).toBe(4096)
    for (const lost of [1, 100, 500]) {
      expect(await refusal(bytes.subarray(0, end - lost))).toContain('cut short')
    }
  })

  test('is looked at for its place', async () => {
    const ends = BigInt(8 * 4096)
    expect(await allocated(image({ l2: [compressed | sectors(1) | (ends - 1024n)] }))).toBe(4096)
    expect(await refusal(image({ l2: [compressed | sectors(1) | (ends - 512n)] }))).toContain(
      'cut short',
    )
    expect(await refusal(image({ l2: [compressed | ends] }))).toContain('cut short')
    expect(await refusal(image({ l2: [compressed] }))).toContain('in the header')
  })

  test('shares the last sector with no more than fit in it', async () => {
    const place = 6 * 4096
    const inside = Array.from({ length: 511 }, (_, byte) => compressed | BigInt(place + byte))
    const reachingIn = [512, 511].map((before) => compressed | sectors(1) | BigInt(place - before))
    const made = (count: number) => {
      const bytes = image({ size: 2n ** 22n, l1: [at(4), at(5)], l2: inside })
      put(bytes, 5 * 4096, reachingIn.slice(0, count))
      return bytes.subarray(0, place + 511)
    }
    expect(await refusal(made(1))).toContain('cut short')
    expect(await refusal(made(2))).toContain('more compressed clusters than bytes')
  })
})

describe('the tables of a qcow2', () => {
  test('lie in the file, aligned', async () => {
    expect(await allocated(image({ l1: [at(7)] }))).toBe(0)
    expect(await refusal(image({ l1: [at(7)] }).subarray(0, -1))).toContain(
      'the L2 table for byte 0',
    )
    expect(await refusal(image({ l1: [at(4) + 512n] }))).toContain('damaged')
    expect(await refusal(image({ l1: [at(4) | 1n] }))).toContain('damaged')
    expect(await refusal(image({ l1: [at(4) | (1n << 62n)] }))).toContain('damaged')
    expect(await allocated(image({ refcounts: [BigInt(7 * 4096), 0n] }))).toBe(0)
    expect(await refusal(image({ refcounts: [0n, BigInt(8 * 4096)] }))).toContain(
      'refcount block 1',
    )
    expect(await refusal(image({ refcounts: [8192n + 512n] }))).toContain('damaged')
  })

  test('are no more than the file has clusters, whatever the L1 table says', async () => {
    const made = (named: number) => {
      const size = BigInt(4000 * 64 * 512)
      const l1 = Array.from({ length: named }, () => at(70, 9))
      return image({ clusterBits: 9, clusters: 100, size, l1: [], l2: [], l1Entries: 4000 }).fill(
        Buffer.concat(l1.map(word)),
        3 * 512,
        3 * 512 + named * 8,
      )
    }
    expect((await look('qcow2', made(100))).code).toBeNull()
    const { code, message, read } = await look('qcow2', made(101))
    expect(code).toBe('INVALID_HEADER')
    expect(message).toContain('names more L2 tables than the file has clusters')
    expect(read).toBeLessThan(4 * 100 * 512)
  })

  test('stop being read when the signal says so', async () => {
    const reason = new Error('enough')
    const act = survey('qcow2', wholeFile(image()).file, AbortSignal.abort(reason))
    await expect(act).rejects.toBe(reason)
  })
})

describe('snapshots', () => {
  /** 8 snapshot table, 9 L1 table of the first, 10 an L2 table of its own, 11 its cluster. */
  function withSnapshot(changes: Made = {}, entry = snapshotEntry(BigInt(9 * 4096), 1)): Buffer {
    const bytes = image({
      clusters: 12,
      snapshots: 1,
      snapshotsOffset: BigInt(8 * 4096),
      ...changes,
    })
    entry.writeBigUInt64BE(BigInt(8 * 4096), 48)
    bytes.set(entry, 8 * 4096)
    put(bytes, 9 * 4096, [at(10)])
    put(bytes, 10 * 4096, [at(11)])
    return bytes
  }

  test('are followed, too, and count for nothing', async () => {
    const bytes = withSnapshot({ l2: [at(5)] })
    expect(await allocated(bytes)).toBe(4096)
    expect(await refusal(bytes.subarray(0, -1))).toMatch(/byte 0 of the snapshot 1 .* cut short/)
    expect(await refusal(bytes.subarray(0, 11 * 4096 - 1))).toContain('L2 table')
  })

  test('do not cost another read of what the disk has in common with them', async () => {
    const bytes = withSnapshot()
    const before = (await look('qcow2', bytes)).read
    put(bytes, 9 * 4096, [at(4)])
    expect((await look('qcow2', bytes)).read).toBe(before - 4096)
  })

  test('have L1 tables in the file, aligned', async () => {
    const made = (offset: bigint, entries: number) =>
      withSnapshot({}, snapshotEntry(offset, entries))
    expect(await refusal(made(BigInt(12 * 4096), 1))).toContain('L1 table')
    expect(await refusal(made(BigInt(9 * 4096 + 512), 1))).toContain('cluster')
    expect((await look('qcow2', made(BigInt(12 * 4096), 0))).code).toBeNull()
  })

  test('hold the state of a machine, which has to be there as far as it reaches', async () => {
    const entry = snapshotEntry(BigInt(9 * 4096), 2)
    entry.writeBigUInt64BE(1000n, 40)
    const bytes = withSnapshot({}, entry)
    put(bytes, 9 * 4096, [at(4), at(10)])
    expect((await look('qcow2', bytes.subarray(0, 11 * 4096 + 1000))).code).toBeNull()
    expect(await refusal(bytes.subarray(0, 11 * 4096 + 999))).toContain('cut short')
  })

  test('are bounded in their L1 tables and in the work on them', async () => {
    const many = 200
    const bytes = image({ clusters: 20, snapshots: many, snapshotsOffset: BigInt(8 * 4096) })
    const entry = snapshotEntry(BigInt(12 * 4096), 512)
    for (let index = 0; index < many; index += 1) bytes.set(entry, 8 * 4096 + index * entry.length)
    put(
      bytes,
      12 * 4096,
      Array.from({ length: 512 }, () => at(13)),
    )
    const found = await look('qcow2', bytes)
    expect(found).toMatchObject({
      code: 'INVALID_HEADER',
      message: expect.stringContaining('longer than'),
    })
    expect(found.read).toBeLessThan(6 * bytes.length)
  })

  test('make no more work than L2 tables fit in the file', async () => {
    const bytes = image({ clusters: 20, snapshots: 2, snapshotsOffset: BigInt(8 * 4096) })
    const l1 = Array.from({ length: 512 }, () => at(13))
    for (const [index, table] of [11, 12].entries()) {
      const entry = snapshotEntry(BigInt(table * 4096), 512)
      bytes.set(entry, 8 * 4096 + index * entry.length)
      put(bytes, table * 4096, index === 0 ? l1 : l1.toReversed().fill(at(14)))
    }
    const found = await look('qcow2', bytes)
    expect(found.code).toBeNull()
    expect(found.read).toBeLessThan(4 * bytes.length)
    // Beyond that measure only the place of a table is looked at.
    put(bytes, 12 * 4096 + 511 * 8, [at(20)])
    expect(await refusal(bytes)).toContain('L2 table')
  })
})

describe('bitmaps', () => {
  /** 8 directory, 9 bitmap table, 10 data. */
  function withBitmap(changes: Made = {}, length = 32, count = 1): Buffer {
    const data = Buffer.alloc(24)
    data.writeUInt32BE(count, 0)
    data.writeBigUInt64BE(BigInt(length), 8)
    data.writeBigUInt64BE(BigInt(8 * 4096), 16)
    const extensions = [{ type: 0x23852875, data }]
    const bytes = image({ clusters: 11, autoclear: 1n, extensions, ...changes })
    bytes.writeBigUInt64BE(BigInt(9 * 4096), 8 * 4096)
    bytes.writeUInt32BE(2, 8 * 4096 + 8)
    bytes.writeUInt8(1, 8 * 4096 + 16)
    bytes.writeUInt8(16, 8 * 4096 + 17)
    bytes.writeUInt16BE(2, 8 * 4096 + 18)
    put(bytes, 9 * 4096, [BigInt(10 * 4096), 1n])
    return bytes
  }
  const spoilt = (offset: number, value: bigint, changes: Made = {}) => {
    const bytes = withBitmap(changes)
    bytes.writeBigUInt64BE(value, offset)
    return bytes
  }

  test.each([
    ['flags', 15, 7, 8],
    ['type', 16, 1, 2],
    ['granularity, up', 17, 31, 32],
    ['granularity, down', 17, 9, 8],
  ])('are of a kind that QEMU opens (%s)', async (_field, offset, most, over) => {
    const bytes = withBitmap()
    bytes.writeUInt8(most, 8 * 4096 + offset)
    expect(await allocated(bytes)).toBe(0)
    bytes.writeUInt8(over, 8 * 4096 + offset)
    expect(await refusal(bytes)).toContain('of no kind that QEMU opens')
  })

  test('are followed, when the file says that they count', async () => {
    expect(await allocated(withBitmap())).toBe(0)
    expect(await refusal(withBitmap().subarray(0, -1))).toContain('data of the table of bitmap 1')
    expect(await allocated(withBitmap({ autoclear: 0n }).subarray(0, -1))).toBe(0)
  })

  test.each([
    ['a table behind the end', spoilt(8 * 4096, BigInt(11 * 4096))],
    ['a table that is not aligned', spoilt(8 * 4096, 9n * 4096n + 8n)],
    ['data behind the end', spoilt(9 * 4096, 11n * 4096n)],
    ['data that are not aligned', spoilt(9 * 4096, 10n * 4096n + 512n)],
    ['all ones in a cluster', spoilt(9 * 4096, 10n * 4096n + 1n)],
    ['reserved bits', spoilt(9 * 4096, 1n << 60n)],
    ['a directory that ends too early', withBitmap({}, 24)],
    ['a directory that lacks one', withBitmap({}, 32, 2)],
  ])('are refused with %s', async (_title, bytes) => {
    expect(await refusal(bytes)).toContain('bitmap')
  })
})
