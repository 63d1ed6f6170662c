import { describe, expect, test } from 'vitest'
import { vdi, type VdiOptions } from '../../fixtures/vdi.ts'
import { inspect, limits, refusal, verdict } from '../../fixtures/verdict.ts'

const sector = Buffer.alloc(512)
const uuid = Buffer.alloc(16, 1)

describe('a VDI image', () => {
  test('tells its size and type', () => {
    expect(inspect(vdi())).toEqual({
      format: 'vdi',
      unpackedBytes: 2_097_152,
      allocatedBytes: null,
      bootable: 'unknown',
      architecture: null,
      details: { type: 'dynamic' },
    })
    expect(inspect(vdi({ type: 2, allocated: 2 })).details).toEqual({ type: 'static' })
  })

  const accepted: readonly [string, VdiOptions][] = [
    ['without a block in the file', { allocated: 0 }],
    ['that ends in the middle of a block', { diskSize: 1_048_576n + 512n }],
    ['whose map ends where the data begin', { mapOffset: 512, dataOffset: 1024, blocks: 128 }],
    [
      'as large as allowed',
      {
        diskSize: BigInt(limits.maxVirtualSize),
        blocks: 1_048_576,
        dataOffset: 4_195_328,
        allocated: 0,
      },
    ],
  ]
  test.each(accepted)('%s is accepted', (_what, options) => {
    const file = vdi(options)
    const padded = Buffer.concat([
      file,
      Buffer.alloc(Math.max(0, (options.dataOffset ?? 0) - file.length)),
    ])
    expect(verdict(padded)).toBe('accepted')
  })

  const refused: readonly [string, VdiOptions, string][] = [
    ['of version 1.0', { version: 0x0001_0000 }, 'UNSUPPORTED_FORMAT'],
    ['of the type undo', { type: 3 }, 'EXTERNAL_REFERENCE'],
    ['of the type difference', { type: 4 }, 'EXTERNAL_REFERENCE'],
    ['that is linked to another', { link: uuid }, 'EXTERNAL_REFERENCE'],
    ['that has a parent', { parent: uuid }, 'EXTERNAL_REFERENCE'],
    ['of no type', { type: 0 }, 'INVALID_HEADER'],
    ['of a type that is not there', { type: 5 }, 'INVALID_HEADER'],
    ['with large sectors', { sectorSize: 4096 }, 'INVALID_HEADER'],
    ['with other blocks', { blockSize: 2_097_152 }, 'INVALID_HEADER'],
    ['with a map off a sector', { mapOffset: 513 }, 'INVALID_HEADER'],
    ['with data off a sector', { dataOffset: 1025 }, 'INVALID_HEADER'],
    ['whose map lies in the header', { mapOffset: 0 }, 'INVALID_HEADER'],
    ['whose map reaches into the data', { blocks: 129 }, 'INVALID_HEADER'],
    ['with too many blocks', { blocks: 0x4000_0000 }, 'INVALID_HEADER'],
    ['of no size', { diskSize: 0n }, 'INVALID_HEADER'],
    ['of half a sector', { diskSize: 1_048_576n + 256n }, 'INVALID_HEADER'],
    ['with too few blocks', { diskSize: 2_097_152n + 512n }, 'INVALID_HEADER'],
    ['with more blocks in the file than in the disk', { allocated: 3 }, 'INVALID_HEADER'],
    [
      'that claims too much',
      { diskSize: BigInt(limits.maxVirtualSize) + 512n, blocks: 1_048_577, dataOffset: 4_195_840 },
      'VIRTUAL_SIZE_LIMIT',
    ],
  ]
  test.each(refused)('%s is refused', (_what, options, code) => {
    expect(verdict(vdi(options))).toBe(code)
  })

  test('is refused when it was cut short, whether its length was told or not', () => {
    const file = vdi().subarray(0, -512)
    for (const size of [null, file.length]) expect(verdict(file, size)).toBe('INVALID_HEADER')
    expect(refusal(() => inspect(file)).message).toContain('it was cut short')
    expect(verdict(Buffer.concat([vdi(), sector]))).toBe('accepted')
  })

  test('is refused beside another format', () => {
    const both = vdi()
    both.set(Buffer.from('KDMV'), 0)
    expect(verdict(both)).toBe('AMBIGUOUS_FORMAT')
  })
})
