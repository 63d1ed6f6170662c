import { describe, expect, test } from 'vitest'
import { crc32c } from '../../../src/inspect/crc32c.ts'
import { inspect, limits, refusal, verdict } from '../../fixtures/verdict.ts'
import { ids, usualRegions, vhdx, type VhdxOptions } from '../../fixtures/vhdx.ts'

const mebibyte = 1_048_576
const [metadata, blocks] = usualRegions
if (!metadata || !blocks) throw new Error('the fixture has no regions')
const atLimit = BigInt(limits.maxVirtualSize)
const item = { offset: 65_600, length: 8 }

describe('a VHDX', () => {
  test('tells the size, the blocks and the sectors of its disk', () => {
    expect(inspect(vhdx())).toEqual({
      format: 'vhdx',
      unpackedBytes: 64 * mebibyte,
      allocatedBytes: null,
      bootable: 'unknown',
      architecture: null,
      details: { blockSize: 8 * mebibyte, sectorSize: 512 },
    })
    expect(inspect(vhdx({ sectorSize: 4096 })).details['sectorSize']).toBe(4096)
  })

  const accepted: readonly [string, VhdxOptions][] = [
    ['with one damaged header', { sequences: [null, 2] }],
    ['with the other header damaged', { sequences: [1, null] }],
    ['whose older header had a log', { sequences: [1, 2], logged: [0] }],
    ['with a damaged first region table', { spoiltTables: [0] }],
    ['with the smallest blocks', { blockSize: mebibyte }],
    ['with the largest blocks', { blockSize: 256 * mebibyte }],
    ['as large as allowed', { size: atLimit, blockSize: 32 * mebibyte }],
    [
      'with a region that need not be known',
      { regions: [metadata, blocks, { id: ids.unknown, offset: mebibyte, length: mebibyte }] },
    ],
    ['with an item that need not be known', { items: [{ id: ids.unknown, ...item }] }],
  ]
  test.each(accepted)('%s is accepted', (_what, options) => {
    expect(verdict(vhdx(options))).toBe('accepted')
  })

  const refused: readonly [string, VhdxOptions, string][] = [
    ['with two damaged headers', { sequences: [null, null] }, 'INVALID_HEADER'],
    ['with a log to replay', { logged: [1] }, 'INVALID_HEADER'],
    ['whose only sound header has a log', { sequences: [1, null], logged: [0] }, 'INVALID_HEADER'],
    ['with two damaged region tables', { spoiltTables: [0, 1] }, 'INVALID_HEADER'],
    ['without metadata', { regions: [blocks] }, 'INVALID_HEADER'],
    ['without a block table', { regions: [metadata] }, 'INVALID_HEADER'],
    [
      'with two block tables',
      { regions: [metadata, blocks, { ...blocks, offset: 4 * mebibyte }] },
      'INVALID_HEADER',
    ],
    [
      'whose regions overlap',
      { regions: [metadata, { ...blocks, offset: 2 * mebibyte }] },
      'INVALID_HEADER',
    ],
    [
      'with a region off a MiB',
      { regions: [metadata, { ...blocks, offset: 3 * mebibyte + 512 }] },
      'INVALID_HEADER',
    ],
    [
      'with a region in its headers',
      { regions: [metadata, { ...blocks, offset: 0 }] },
      'INVALID_HEADER',
    ],
    [
      'with a region behind its end',
      { regions: [metadata, { ...blocks, offset: 4 * mebibyte }] },
      'INVALID_HEADER',
    ],
    [
      'with metadata behind its end',
      { regions: [{ ...metadata, offset: 2 ** 50 }, blocks] },
      'INVALID_HEADER',
    ],
    [
      'with metadata that are none',
      { regions: [{ ...metadata, offset: mebibyte }, blocks] },
      'INVALID_HEADER',
    ],
    [
      'with a region that has to be known',
      {
        regions: [
          metadata,
          blocks,
          { id: ids.unknown, offset: mebibyte, length: mebibyte, required: true },
        ],
      },
      'UNSUPPORTED_FORMAT',
    ],
    [
      'with an item that has to be known',
      { items: [{ id: ids.unknown, ...item, required: true }] },
      'UNSUPPORTED_FORMAT',
    ],
    ['that is a difference', { parameters: 2 }, 'EXTERNAL_REFERENCE'],
    [
      'that says where its parent is',
      { items: [{ id: ids.parent, ...item, required: true }] },
      'EXTERNAL_REFERENCE',
    ],
    ['without an identity', { without: ids.identity }, 'INVALID_HEADER'],
    ['without the size of physical sectors', { without: ids.physicalSector }, 'INVALID_HEADER'],
    ['with odd sectors', { sectorSize: 1024 }, 'INVALID_HEADER'],
    ['of no size', { size: 0n }, 'INVALID_HEADER'],
    ['of half a sector', { size: 256n }, 'INVALID_HEADER'],
    ['of an eighth of a large sector', { size: 512n, sectorSize: 4096 }, 'INVALID_HEADER'],
    ['with small blocks', { blockSize: mebibyte / 2 }, 'INVALID_HEADER'],
    ['with large blocks', { blockSize: 512 * mebibyte }, 'INVALID_HEADER'],
    ['with blocks of no power of 2', { blockSize: 3 * mebibyte }, 'INVALID_HEADER'],
    ['whose size stands far away', { sizeOffset: 900_000 }, 'INVALID_HEADER'],
    ['whose size stands outside of the file', { sizeOffset: 0xffff_fff0 }, 'INVALID_HEADER'],
    ['with too short a block table', { size: atLimit, blockSize: mebibyte }, 'INVALID_HEADER'],
    ['that claims too much', { size: atLimit + 512n }, 'VIRTUAL_SIZE_LIMIT'],
  ]
  test.each(refused)('%s is refused', (_what, options, code) => {
    const file = vhdx(options)
    for (const size of [null, file.length]) expect(verdict(file, size)).toBe(code)
  })

  test('is refused when it was cut short', () => {
    const file = vhdx()
    for (const length of [10, 100_000, 1_500_000, 2_500_000, file.length - 1]) {
      expect(refusal(() => inspect(file.subarray(0, length))).code).toBe('INVALID_HEADER')
    }
  })
})

test('CRC-32C has the value of its check string', () => {
  expect(crc32c(Buffer.from('123456789'), 9)).toBe(0xe306_9283)
})
