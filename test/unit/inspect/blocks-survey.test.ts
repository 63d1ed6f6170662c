import { describe, expect, test } from 'vitest'
import type { Format } from '../../../src/image/format.ts'
import { dynamicVhd, fixedVhd, type VhdOptions } from '../../fixtures/vhd.ts'
import { vdi, type VdiOptions } from '../../fixtures/vdi.ts'
import { ids, vhdx, type VhdxOptions } from '../../fixtures/vhdx.ts'
import { look } from '../../support/surveys.ts'

const mebibyte = 1_048_576

const allocated = async (format: Format, bytes: Buffer) => {
  const { code, message, allocatedBytes } = await look(format, bytes)
  expect({ code, message }).toEqual({ code: null, message: '' })
  return allocatedBytes
}

async function refusal(format: Format, bytes: Buffer): Promise<string> {
  const { code, message } = await look(format, bytes)
  expect(code).toBe('INVALID_HEADER')
  return message
}

describe('the block map of a VDI', () => {
  const free = 0xffff_ffff
  const zeros = 0xffff_fffe

  function made(map: readonly number[], options: VdiOptions = {}): Buffer {
    const bytes = vdi({ blocks: map.length, diskSize: BigInt(map.length * mebibyte), ...options })
    map.forEach((block, index) => bytes.writeUInt32LE(block, 512 + index * 4))
    return bytes
  }

  test('tells what is allocated', async () => {
    expect(await allocated('vdi', made([free, zeros]))).toBe(0)
    expect(await allocated('vdi', made([free, 0, zeros]))).toBe(mebibyte)
    const odd = { allocated: 2, diskSize: BigInt(mebibyte + 512) }
    expect(await allocated('vdi', made([1, 0], odd))).toBe(mebibyte + 512)
    expect(await allocated('vdi', made([free, free, 0], odd))).toBe(0)
  })

  test('names blocks that the file holds, each once', async () => {
    expect(await refusal('vdi', made([1, free]))).toContain('the block for byte 0 of the disk')
    expect(await refusal('vdi', made([free, 0xffff_fffd]))).toContain('byte 1048576')
    expect(await refusal('vdi', made([0, 0]))).toContain('more blocks than the 1')
  })
})

describe('the block table of a VHD', () => {
  const free = 0xffff_ffff
  const block = 2 * mebibyte
  /** Bits of the sectors of a block: 512 bytes. */
  const length = 512 + block

  /** Room for blocks stands before the last footer, from byte 2048 on. */
  function made(table: readonly number[], room: number, options: VhdOptions = {}): Buffer {
    const bytes = dynamicVhd({ entries: table.length, ...options })
    table.forEach((sector, index) => bytes.writeUInt32BE(sector, 1536 + index * 4))
    return Buffer.concat([bytes.subarray(0, 2048), Buffer.alloc(room), bytes.subarray(-512)])
  }

  test('tells what is allocated', async () => {
    expect(await allocated('vhd', made([free, free], 0))).toBe(0)
    expect(await allocated('vhd', made([4, free], length))).toBe(block)
    expect(await allocated('vhd', made([free, 4], length, { size: BigInt(block + 512) }))).toBe(512)
    expect(await allocated('vhd', made([free, free, 4], length))).toBe(0)
  })

  test('names blocks that lie before the footer', async () => {
    expect(await refusal('vhd', made([4, free], length - 1))).toContain('byte 0 of the disk')
    expect(await refusal('vhd', made([free, 5], length))).toContain('cut short')
    expect(await refusal('vhd', made([0, free], length))).toContain('would lie on')
  })

  test('counts whole sectors of bits for large and small blocks', async () => {
    const large = { blockSize: 4 * mebibyte }
    expect(await allocated('vhd', made([4], 1024 + 4 * mebibyte, large))).toBe(4 * mebibyte)
    expect(await refusal('vhd', made([4], 1023 + 4 * mebibyte, large))).toContain('cut short')
    const small = { blockSize: 512, size: 1024n }
    expect(await allocated('vhd', made([free, 4], 1024, small))).toBe(512)
    expect(await refusal('vhd', made([free, 4], 1023, small))).toContain('cut short')
  })

  test('is nothing that a fixed one has', async () => {
    expect(await allocated('vhd', fixedVhd(Buffer.alloc(4096)))).toBe(4096)
    const disk = fixedVhd(Buffer.alloc(4096))
    expect(await allocated('vhd', fixedVhd(disk))).toBe(4608)
  })
})

describe('the block table of a VHDX', () => {
  const block = 8 * mebibyte
  const whole = 6

  type Entry = readonly [place: number, state: number]

  /** `room` MiB stand behind the 4 that headers and tables take. */
  function made(table: readonly Entry[], room: number, options: VhdxOptions = {}): Buffer {
    const bytes = vhdx(options)
    table.forEach(([place, state], index) => {
      bytes.writeBigUInt64LE((BigInt(place) << 20n) | BigInt(state), 3 * mebibyte + index * 8)
    })
    return Buffer.concat([bytes, Buffer.alloc(room * mebibyte)])
  }

  test('tells what is allocated', async () => {
    expect(await allocated('vhdx', made([], 0))).toBe(0)
    expect(await allocated('vhdx', made([[4, whole]], 8))).toBe(block)
    for (const state of [0, 1, 2, 3, 5]) {
      expect(await allocated('vhdx', made([[4000, state]], 0))).toBe(0)
    }
  })

  test('names blocks in the file, as far as the disk reaches', async () => {
    expect(await refusal('vhdx', made([[4, whole]], 8).subarray(0, -1))).toContain('cut short')
    expect(await refusal('vhdx', made([[0, whole]], 8))).toContain('headers')
    expect(await refusal('vhdx', made([[2 ** 43, whole]], 8))).toContain('cut short')
    const odd = made([[4, whole]], 1, { size: 512n })
    expect(await allocated('vhdx', odd.subarray(0, 4 * mebibyte + 512))).toBe(512)
    expect(await refusal('vhdx', odd.subarray(0, 4 * mebibyte + 511))).toContain('cut short')
  })

  test('has no state that there is not, and no parent', async () => {
    expect(await refusal('vhdx', made([[4, 4]], 8))).toContain('the state 4')
    expect(await refusal('vhdx', made([[4, 7]], 8))).toContain('parent')
  })

  test('passes over the entries for bitmaps', async () => {
    // A chunk of 2^23 sectors of 512 bytes holds 512 blocks of 8 MiB.
    const size = BigInt(514 * block)
    const at512 = (entry: Entry): readonly Entry[] => [
      ...Array.from({ length: 512 }, () => [0, 0] as const),
      entry,
      [4, whole],
      [4, whole],
      [4, 7],
    ]
    expect(await allocated('vhdx', made(at512([0, 7]), 8, { size }))).toBe(2 * block)
    const last = { size: BigInt(513 * block) }
    expect(await allocated('vhdx', made(at512([9999, 6]), 8, last))).toBe(block)
  })

  test('is found by metadata that lie at the end of a long file', async () => {
    const bytes = made([[4, whole]], 12, {
      regions: [
        { id: ids.metadata, offset: 15 * mebibyte, length: mebibyte, required: true },
        { id: ids.blocks, offset: 3 * mebibyte, length: mebibyte, required: true },
      ],
    })
    bytes.copyWithin(15 * mebibyte, 2 * mebibyte, 3 * mebibyte)
    bytes.fill(0, 2 * mebibyte, 3 * mebibyte)
    expect(await allocated('vhdx', bytes)).toBe(block)
  })
})
