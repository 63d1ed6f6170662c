import { describe, expect, test } from 'vitest'
import { iso, type IsoFields } from '../../fixtures/iso.ts'
import { gptDisk, writeMbr } from '../../fixtures/raw.ts'
import { inspect, verdict } from '../../fixtures/verdict.ts'

type Case = readonly [title: string, fields: Partial<IsoFields>, verdict: string]

const cases: readonly Case[] = [
  ['nothing special', {}, 'accepted'],
  ['byte orders that disagree', { blocksBig: 401 }, 'INVALID_HEADER'],
  ['blocks of 1024', { blockSize: 1024 }, 'accepted'],
  ['blocks of 512', { blockSize: 512 }, 'accepted'],
  ['blocks of 4096', { blockSize: 4096 }, 'INVALID_HEADER'],
  ['blocks of 0', { blockSize: 0 }, 'INVALID_HEADER'],
  ['no blocks', { blocks: 0, blocksBig: 0 }, 'INVALID_HEADER'],
  ['padding behind the volume', { blocks: 350, blocksBig: 350 }, 'accepted'],
  ['one block too few', { blocks: 401, blocksBig: 401 }, 'INVALID_HEADER'],
  ['a boot catalog at the end', { platforms: [0], catalogSector: 399 }, 'accepted'],
  ['UDF beside it', { udf: 'beside' }, 'accepted'],
  ['only UDF', { udf: 'pure' }, 'accepted'],
  ['only UDF, cut short', { udf: 'pure', blocks: 401 }, 'INVALID_HEADER'],
  ['only UDF, cut before its anchor', { udf: 'pure', sectors: 200, blocks: 300 }, 'INVALID_HEADER'],
]

const long = { udf: 'pure', sectors: 2000, blocks: 2000 } as const

describe('a UDF volume without an anchor at block 256', () => {
  test.each([
    ['in its last block', 1999],
    ['256 blocks before it', 1743],
  ])('may have it %s', (_title, anchor) => {
    const file = iso({ ...long, anchor, volumeId: 'LATE' })
    expect(verdict(file, file.length)).toBe('accepted')
    expect(inspect(file, 10_000, file.length)).toMatchObject({
      format: 'iso',
      details: { volumeId: 'LATE' },
    })
    expect(verdict(file.subarray(0, 1900 * 2048))).toBe('INVALID_HEADER')
  })

  test('is refused when it has none at all', () => {
    expect(verdict(iso({ ...long, anchor: 1000 }))).toBe('INVALID_HEADER')
  })
})

const hybrid = (type: number, first: number) =>
  inspect(writeMbr(iso({ platforms: [0] }), [{ type, first, sectors: 1600 }]))

describe('an ISO', () => {
  test.each(cases)('with %s is judged', (_title, fields, expected) => {
    expect(verdict(iso(fields))).toBe(expected)
  })

  test('tells what it is', () => {
    const file = iso({
      volumeId: 'Ubuntu 24.04',
      joliet: true,
      platforms: [0, 0xef],
      udf: 'beside',
    })
    expect(inspect(file)).toEqual({
      format: 'iso',
      unpackedBytes: file.length,
      allocatedBytes: null,
      bootable: 'yes',
      architecture: null,
      details: {
        volumeId: 'Ubuntu 24.04',
        bootable: ['BIOS', 'UEFI'],
        joliet: true,
        rockRidge: false,
        udf: true,
      },
    })
  })

  test('of pure UDF tells its name', () => {
    expect(inspect(iso({ udf: 'pure', volumeId: 'WINDOWS' }))).toMatchObject({
      format: 'iso',
      bootable: 'unknown',
      details: { volumeId: 'WINDOWS', udf: true },
    })
  })

  test('without a boot record does not start', () => {
    expect(inspect(iso())).toMatchObject({ bootable: 'no', details: { bootable: [] } })
  })

  test('whose boot catalog has a wrong sum does not start', () => {
    const file = iso({ platforms: [0] })
    file.writeUInt8(1, 30 * 2048 + 5)
    expect(inspect(file).bootable).toBe('no')
  })

  test('whose boot catalog lies behind the end is refused', () => {
    const file = iso({ platforms: [0] })
    file.writeUInt32LE(400, 17 * 2048 + 71)
    expect(verdict(file)).toBe('INVALID_HEADER')
  })

  test('whose boot catalog lies behind the head is followed there', () => {
    const file = iso({ sectors: 4000, platforms: [0, 0xef], catalogSector: 3000 })
    expect(inspect(file, 10_007)).toMatchObject({
      bootable: 'yes',
      details: { bootable: ['BIOS', 'UEFI'] },
    })
  })

  test('tells its architecture by its EFI boot file, and 32-bit firmware beside does not matter', () => {
    const file = iso({ platforms: [0xef] })
    file.write('BOOTX64 EFI', 31 * 2048, 'latin1')
    file.write('BOOTIA32EFI', 31 * 2048 + 32, 'latin1')
    expect(inspect(file).architecture).toBe('amd64')
    file.write('BOOTAA64EFI', 31 * 2048 + 64, 'latin1')
    expect(inspect(file).architecture).toBe(null)
  })

  test('that is also a partitioned disk stays an ISO', () => {
    for (const [type, first] of [
      [0x17, 0],
      [0x83, 0],
      [0xcd, 64],
      [0xcd, 1],
    ] as const) {
      expect(hybrid(type, first)).toMatchObject({ format: 'iso', details: { hybrid: 'mbr' } })
    }
    const withGpt = iso()
    gptDisk([], 512, 819_200).copy(withGpt, 0, 0, 2048)
    expect(inspect(withGpt)).toMatchObject({ format: 'iso', details: { hybrid: 'gpt' } })
  })

  test('whose volume descriptor was cut is refused', () => {
    expect(verdict(iso().subarray(0, 0x8000 + 100))).toBe('INVALID_HEADER')
  })
})
