import { describe, expect, test } from 'vitest'
import { gptDisk, gptTypes } from '../../fixtures/raw.ts'
import { dynamicVhd, fixedVhd, type VhdOptions } from '../../fixtures/vhd.ts'
import { inspect, limits, refusal, verdict } from '../../fixtures/verdict.ts'

const disk = Buffer.alloc(1_048_576)
const atLimit = BigInt(limits.maxVirtualSize)

describe('a dynamic VHD', () => {
  test('tells its size', () => {
    expect(inspect(dynamicVhd())).toEqual({
      format: 'vhd',
      unpackedBytes: 4_194_304,
      allocatedBytes: null,
      bootable: 'unknown',
      architecture: null,
      details: { type: 'dynamic' },
    })
  })

  const accepted: readonly [string, VhdOptions][] = [
    ['that ends in the middle of a block', { size: 2_097_152n + 512n }],
    ['with small blocks', { blockSize: 524_288, entries: 8 }],
    ['with more entries than it needs', { entries: 128 }],
    ['as large as allowed', { size: atLimit, blockSize: 2 ** 31, entries: 512 / 1 }],
  ]
  test.each(accepted)('%s is accepted', (_what, options) => {
    const file = dynamicVhd(options)
    const table = Buffer.alloc(Math.max(0, (options.entries ?? 0) * 4 - 512), 0xff)
    expect(verdict(Buffer.concat([file.subarray(0, -512), table, file.subarray(-512)]))).toBe(
      'accepted',
    )
  })

  const refused: readonly [string, VhdOptions, string][] = [
    ['with a wrong checksum', { spoilFooter: 1 }, 'INVALID_HEADER'],
    ['with a wrong checksum in its header', { spoilHeader: 1 }, 'INVALID_HEADER'],
    ['that is a difference', { type: 4 }, 'EXTERNAL_REFERENCE'],
    ['that has a parent', { parent: Buffer.alloc(16, 1) }, 'EXTERNAL_REFERENCE'],
    ['that names a parent', { parentName: 'C:\\base.vhd' }, 'EXTERNAL_REFERENCE'],
    ['of no type', { type: 0 }, 'INVALID_HEADER'],
    ['of a later type', { type: 5 }, 'INVALID_HEADER'],
    ['that says it is fixed', { type: 2 }, 'INVALID_HEADER'],
    ['of no size', { size: 0n }, 'INVALID_HEADER'],
    ['of half a sector', { size: 4_194_304n - 256n }, 'INVALID_HEADER'],
    ['with too few blocks', { size: 4_194_304n + 512n }, 'INVALID_HEADER'],
    ['with blocks of no power of 2', { blockSize: 3_000_000 }, 'INVALID_HEADER'],
    ['with blocks of no size', { blockSize: 0 }, 'INVALID_HEADER'],
    ['whose header is elsewhere', { dataOffset: 1024n }, 'INVALID_HEADER'],
    ['whose header is nowhere', { dataOffset: 2n ** 64n - 1n }, 'INVALID_HEADER'],
    ['whose header is its footer', { dataOffset: 0n }, 'INVALID_HEADER'],
    ['whose header lies behind its end', { dataOffset: 1_000_000n }, 'INVALID_HEADER'],
    ['whose table lies in its footer', { tableOffset: 0n }, 'INVALID_HEADER'],
    ['whose table lies behind its end', { tableOffset: 1_000_000n }, 'INVALID_HEADER'],
    [
      'that claims too much',
      { size: atLimit + 512n, blockSize: 2 ** 31, entries: 513 },
      'VIRTUAL_SIZE_LIMIT',
    ],
  ]
  test.each(refused)('%s is refused', (_what, options, code) => {
    expect(verdict(dynamicVhd(options))).toBe(code)
  })

  test('is refused when it was cut short, and when its footers differ', () => {
    const file = dynamicVhd()
    expect(refusal(() => inspect(file.subarray(0, -512))).message).toContain('it was cut short')
    const other = dynamicVhd({ size: 2_097_152n }).subarray(-512)
    const both = Buffer.concat([file.subarray(0, -512), other])
    expect(refusal(() => inspect(both)).message).toContain('contradict')
  })
})

describe('a fixed VHD', () => {
  test('tells the size without its footer, whatever is on the disk', () => {
    for (const content of [disk, gptDisk([gptTypes.efi, gptTypes.linux], 512, 3_145_728)]) {
      const facts = inspect(fixedVhd(content))
      expect(facts).toMatchObject({ format: 'vhd', unpackedBytes: content.length })
      expect(facts.details).toEqual({ type: 'fixed' })
    }
  })

  const refused: readonly [string, VhdOptions, string][] = [
    ['with a wrong checksum', { spoilFooter: 1 }, 'INVALID_HEADER'],
    ['that is a difference', { type: 4 }, 'EXTERNAL_REFERENCE'],
    ['that says it is dynamic', { type: 3, dataOffset: 512n }, 'INVALID_HEADER'],
    ['shorter than it says', { size: BigInt(disk.length) + 512n }, 'INVALID_HEADER'],
    ['longer than it says', { size: BigInt(disk.length) - 512n }, 'INVALID_HEADER'],
    ['of no size', { size: 0n }, 'INVALID_HEADER'],
  ]
  test.each(refused)('%s is refused', (_what, options, code) => {
    expect(verdict(fixedVhd(disk, options))).toBe(code)
  })

  test('is refused around another image', () => {
    const inner = Buffer.concat([Buffer.from('KDMV'), disk.subarray(4)])
    expect(verdict(fixedVhd(inner))).toBe('UNSUPPORTED_FORMAT')
    expect(verdict(fixedVhd(dynamicVhd()))).toBe('INVALID_HEADER')
  })
})
