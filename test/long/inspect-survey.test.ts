import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Format } from '../../src/image/format.ts'
import { openQcow2 } from '../../src/inspect/qcow2-disk.ts'
import { noise } from '../fixtures/noise.ts'
import { needs } from '../support/programs.ts'
import { Random } from '../support/random.ts'
import { flipped, look, wholeFile } from '../support/surveys.ts'

const mebibyte = 1_048_576
const never = new AbortController().signal
let folder = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-survey-'))
  writeFileSync(join(folder, 'raw'), raw())
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Noise, zeros, letters and an odd end: 5 MiB and three sectors. */
function raw(): Buffer {
  return Buffer.concat([
    noise(700_000),
    Buffer.alloc(2 * mebibyte),
    Buffer.alloc(300_000, 'slipway'),
    noise(200_000, 7),
    Buffer.alloc(5 * mebibyte - 3_297_152 - 100_000),
    noise(101_536, 9),
  ])
}

const run = (program: string, ...args: readonly string[]) =>
  execFileSync(program, args, { cwd: folder, encoding: 'utf8', stdio: 'pipe', timeout: 30_000 })
const bytesOf = (name: string) => readFileSync(join(folder, name))

const mapSchema = z.array(z.object({ length: z.number(), data: z.boolean() }))

/** What qemu-img says is data. */
function told(name: string, format: string): number {
  const map = mapSchema.parse(
    JSON.parse(run('qemu-img', 'map', '-f', format, '--output=json', name)),
  )
  return map.filter(({ data }) => data).reduce((sum, { length }) => sum + length, 0)
}

function convert(name: string, format: string, options: readonly string[]): Buffer {
  run('qemu-img', 'convert', '-f', 'raw', '-O', format, ...options, 'raw', name)
  return bytesOf(name)
}

/**
 * Cuts the file at random places and says how it was judged. Where it is accepted, `proof` has to show that nothing of the
 * disk was lost.
 */
async function cut(
  format: Format,
  bytes: Buffer,
  proof: (short: Buffer) => Promise<void>,
): Promise<{ readonly refused: number; readonly accepted: number }> {
  const random = new Random(bytes.length)
  const counts = { refused: 0, accepted: 0 }
  for (let round = 0; round < 12; round += 1) {
    const lost = 1 + random.below(round % 2 === 0 ? 2000 : bytes.length - 1)
    const short = bytes.subarray(0, bytes.length - lost)
    const { code, message } = await look(format, short)
    counts[code === null ? 'accepted' : 'refused'] += 1
    if (code === null) await proof(short)
    else expect({ code, message }).toEqual({ code: 'INVALID_HEADER', message: expect.any(String) })
  }
  return counts
}

describe.skipIf(!needs('qemu-img', 'apt-get install qemu-utils'))('a qcow2 of qemu-img', () => {
  const kinds: readonly (readonly [string, readonly string[]])[] = [
    ['version 2', ['-o', 'compat=0.10']],
    ['version 3', []],
    ['version 2, compressed', ['-c', '-o', 'compat=0.10']],
    ['zlib', ['-c']],
    ['zstd', ['-c', '-o', 'compression_type=zstd']],
    ['zlib, the smallest clusters', ['-c', '-o', 'cluster_size=512']],
    ['zstd, the largest clusters', ['-c', '-o', 'compression_type=zstd,cluster_size=2M']],
    ['zlib, the largest clusters', ['-c', '-o', 'cluster_size=2M']],
    ['the smallest clusters', ['-o', 'cluster_size=512']],
    ['the largest clusters', ['-o', 'cluster_size=2M']],
    ['extended L2', ['-o', 'extended_l2=on,cluster_size=128k']],
    ['extended L2, zlib', ['-c', '-o', 'extended_l2=on,cluster_size=16k']],
    ['wide reference counts', ['-o', 'refcount_bits=64']],
    ['bit-wide reference counts', ['-o', 'refcount_bits=1']],
  ]

  async function holdsTheDisk(bytes: Buffer): Promise<void> {
    const disk = await openQcow2(wholeFile(bytes).file, never)
    expect((await disk.read(0, disk.size, never)).equals(raw())).toBe(true)
  }

  test.each(kinds)(
    '(%s) holds what qemu-img map tells, and nothing is lost unseen',
    async (_title, options) => {
      const bytes = convert('a.qcow2', 'qcow2', options)
      const found = await look('qcow2', bytes)
      expect(found).toMatchObject({ code: null, allocatedBytes: told('a.qcow2', 'qcow2') })
      await holdsTheDisk(bytes)
      const counts = await cut('qcow2', bytes, holdsTheDisk)
      expect(counts.refused).toBeGreaterThanOrEqual(6)
    },
  )

  test.each([
    ['off', 0],
    ['metadata', 1],
    ['falloc', 1],
    ['full', 1],
  ])('with preallocation %s is accepted for every odd size', async (mode, times) => {
    for (const size of [512, 65_536, 66_048, 3 * mebibyte + 1024]) {
      const options = ['-o', `preallocation=${mode}`, 'b.qcow2', String(size)]
      run('qemu-img', 'create', '-q', '-f', 'qcow2', ...options)
      expect(await look('qcow2', bytesOf('b.qcow2'))).toMatchObject({
        allocatedBytes: size * times,
      })
    }
  })

  test('may have snapshots, bitmaps and another size than at first', async () => {
    convert('c.qcow2', 'qcow2', [])
    run('qemu-img', 'snapshot', '-c', 'one', 'c.qcow2')
    run('qemu-io', '-f', 'qcow2', '-c', 'write 1M 100k', '-c', 'write -z 0 64k', 'c.qcow2')
    run('qemu-img', 'snapshot', '-c', 'two', 'c.qcow2')
    run('qemu-img', 'resize', '-q', '-f', 'qcow2', 'c.qcow2', '5244928')
    run('qemu-img', 'snapshot', '-c', 'three', 'c.qcow2')
    run('qemu-io', '-f', 'qcow2', '-c', 'write 5244416 512', 'c.qcow2')
    run('qemu-img', 'bitmap', '--add', 'c.qcow2', 'b0')
    run('qemu-img', 'bitmap', '--add', '-g', '512', 'c.qcow2', 'b1')
    run('qemu-io', '-f', 'qcow2', '-c', 'write 2M 64k', 'c.qcow2')
    const bytes = bytesOf('c.qcow2')
    const found = await look('qcow2', bytes)
    expect(found).toMatchObject({ code: null, allocatedBytes: told('c.qcow2', 'qcow2') })
    expect(found.read).toBeLessThan(bytes.length + 4 * mebibyte)
  })

  const flippedKinds = new Set([
    'version 2',
    'zlib',
    'zstd',
    'the smallest clusters',
    'extended L2',
  ])

  test.each(kinds.filter(([title]) => flippedKinds.has(title)))(
    '(%s) with flipped bits is refused or accepted, and costs no more',
    async (_title, options) => {
      const bytes = convert('d.qcow2', 'qcow2', options)
      run('qemu-img', 'snapshot', '-c', 'one', 'd.qcow2')
      await flipped('qcow2', bytesOf('d.qcow2'), tablesOf(bytes), 45)
    },
  )

  /** Where the L1 table, the refcount table and the L2 tables lie. */
  function tablesOf(bytes: Buffer): readonly (readonly [number, number])[] {
    const cluster = 2 ** bytes.readUInt32BE(20)
    const l1 = Number(bytes.readBigUInt64BE(40))
    const entries = bytes.readUInt32BE(36)
    const l2 = Array.from({ length: entries }, (_, index) =>
      bytes.readUIntBE(l1 + index * 8 + 2, 6),
    )
    const inFile = l2.filter((offset) => offset > 0)
    const refcounts = Number(bytes.readBigUInt64BE(48))
    return [
      [l1, entries * 8],
      [refcounts, 64],
      ...inFile.map((at) => [at, Math.min(cluster, 800)] as const),
    ]
  }
})

describe.skipIf(!needs('qemu-img', 'apt-get install qemu-utils'))('the other formats', () => {
  const mibs = (blocks: number) => blocks * mebibyte
  /** 1 MiB blocks of the disk in which something stands: 0, 2, 3, 4 and the last, of three sectors. */
  const vdiBytes = mibs(4) + 1536

  test.each([
    ['dynamic', 'static=off', vdiBytes],
    ['static', 'static=on', 5 * mebibyte + 1536],
  ])('a %s VDI holds what is told', async (kind, option, allocatedBytes) => {
    const bytes = convert('a.vdi', 'vdi', ['-o', option])
    const found = await look('vdi', bytes)
    expect(found).toMatchObject({ code: null, allocatedBytes })
    if (kind === 'dynamic') expect(told('a.vdi', 'vdi')).toBe(allocatedBytes)
    // Blocks are whole and there are as many as the header says: every cut is seen.
    const counts = await cut('vdi', bytes, () => Promise.reject(new Error('it was accepted')))
    expect(counts).toEqual({ refused: 12, accepted: 0 })
    await flipped('vdi', bytes, [[bytes.readUInt32LE(0x154), 24]], 100)
  })

  test.each([['off'], ['on']])(
    'a dynamic VHD (force_size=%s) holds what is told',
    async (force) => {
      const bytes = convert('a.vhd', 'vpc', ['-o', `subformat=dynamic,force_size=${force}`])
      const found = await look('vhd', bytes)
      expect(found).toMatchObject({ code: null, allocatedBytes: told('a.vhd', 'vpc') })
      // A file without its footer is refused by the first look, so what is cut out here stands before it.
      const footer = bytes.subarray(-512)
      for (const lost of [1, 512, 1000, 2_000_000]) {
        const short = Buffer.concat([bytes.subarray(0, bytes.length - 512 - lost), footer])
        expect((await look('vhd', short)).code).toBe('INVALID_HEADER')
      }
      await flipped('vhd', bytes, [[Number(bytes.readBigUInt64BE(512 + 16)), 12]], 100)
    },
  )

  test('a fixed VHD is data throughout', async () => {
    const bytes = convert('a.vhd', 'vpc', ['-o', 'subformat=fixed,force_size=on'])
    const allocatedBytes = bytes.length - 512
    expect(await look('vhd', bytes)).toMatchObject({ code: null, allocatedBytes })
  })

  test.each([
    ['dynamic', 'subformat=dynamic,block_size=1M', vdiBytes],
    ['of 8 MiB blocks', 'subformat=dynamic,block_size=8M', 5 * mebibyte + 1536],
    ['fixed', 'subformat=fixed,block_size=1M', 5 * mebibyte + 1536],
    [
      'fixed, of blocks larger than the disk',
      'subformat=fixed,block_size=256M',
      5 * mebibyte + 1536,
    ],
  ])('a VHDX (%s) holds what is told', async (_title, option, allocatedBytes) => {
    const bytes = convert('a.vhdx', 'vhdx', ['-o', `${option},block_state_zero=off`])
    const found = await look('vhdx', bytes)
    expect(found).toMatchObject({ code: null, allocatedBytes })
    const end = vhdxEnd(bytes)
    const counts = await cut('vhdx', bytes, (short) => {
      expect(short.length).toBeGreaterThanOrEqual(end)
      return Promise.resolve()
    })
    expect(counts.refused).toBeGreaterThan(0)
    await flipped('vhdx', bytes, [[blockTable(bytes), 48]], 50)
  })

  /** Where the disk's last sector ends in the file: QEMU makes room for more behind it. */
  function vhdxEnd(bytes: Buffer): number {
    const last = raw().subarray(-512)
    return bytes.lastIndexOf(last) + last.length
  }

  /** Of the region table's two entries the one that has the block table's GUID. */
  function blockTable(bytes: Buffer): number {
    const entry = bytes.indexOf('6677c22d23f600429d64115e9bfd4a08', 0x3_0000, 'hex')
    return Number(bytes.readBigUInt64LE(entry + 16))
  }
})
