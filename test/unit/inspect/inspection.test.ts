import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Failure } from '../../../src/errors.ts'
import { Inspection } from '../../../src/inspect/inspection.ts'
import { iso } from '../../fixtures/iso.ts'
import { qcow2, snapshotEntry } from '../../fixtures/qcow2.ts'
import { bytesAt, gptDisk, gptTypes } from '../../fixtures/raw.ts'
import { inspect, limits, refusal, verdict } from '../../fixtures/verdict.ts'

const mebibyte = 1_048_576

function pushed(file: Buffer, size: number | null = null): Inspection {
  const inspection = new Inspection(limits, size)
  inspection.push(file)
  return inspection
}

describe('an inspection', () => {
  test('refuses a bad header within the first MiB of an endless stream', () => {
    const bad = [
      qcow2({ backingOffset: 512n, backingLength: 4 }),
      bytesAt(0, 'KDMV'),
      bytesAt(0, '<html>'.repeat(1000)),
      iso({ blocksBig: 1 }),
    ]
    for (const file of bad) {
      const start = Buffer.concat([file, Buffer.alloc(mebibyte)]).subarray(0, mebibyte)
      expect(refusal(() => pushed(start))).toHaveProperty('code')
    }
  })

  test('refuses a table behind the end at once when the size is known, else at the end', () => {
    const file = Buffer.concat([qcow2({ l1Offset: 1n << 32n }), Buffer.alloc(mebibyte)])
    expect(refusal(() => pushed(file, 2 ** 32)).code).toBe('INVALID_HEADER')
    expect(pushed(file, 2 ** 32 + 65_536).format).toBe('qcow2')
    const unknown = pushed(file)
    expect(refusal(() => unknown.finish()).code).toBe('INVALID_HEADER')
  })

  test('knows the format early enough to name the file', () => {
    const inspection = new Inspection(limits, null)
    expect(inspection.format).toBe(null)
    inspection.push(iso().subarray(0, 131_071))
    expect(inspection.format).toBe(null)
    inspection.push(iso().subarray(131_071, 131_072))
    expect(inspection.format).toBe('iso')
    expect(pushed(Buffer.alloc(131_072)).format).toBe('raw')
  })

  test('refuses a file that is not as long as was said', () => {
    expect(verdict(Buffer.alloc(4096), 4096)).toBe('accepted')
    expect(verdict(Buffer.alloc(4096), 4097)).toBe('SIZE_MISMATCH')
    expect(verdict(Buffer.alloc(4096), 4095)).toBe('SIZE_MISMATCH')
  })

  test('sees the end of a file of any length, with and without a declared size', () => {
    for (const length of [512, 65_536, 65_537, 131_072, 2_097_152, 2_130_000, 2_200_000]) {
      const file = bytesAt(length - 512, 'koly', length)
      expect(verdict(file)).toBe('UNSUPPORTED_FORMAT')
      expect(verdict(file, length)).toBe('UNSUPPORTED_FORMAT')
      expect(refusal(() => inspect(file, 999)).code).toBe('UNSUPPORTED_FORMAT')
    }
  })

  test('refuses raw and ISO files past the limit, before their end', () => {
    const inspection = () => new Inspection({ maxVirtualSize: mebibyte }, null)
    const most = inspection()
    most.push(Buffer.alloc(mebibyte))
    expect(most.finish().unpackedBytes).toBe(mebibyte)
    expect(refusal(() => inspection().push(Buffer.alloc(2 * mebibyte))).code).toBe(
      'VIRTUAL_SIZE_LIMIT',
    )
    const declared = new Inspection({ maxVirtualSize: mebibyte }, mebibyte + 1)
    expect(refusal(() => declared.push(Buffer.alloc(131_072))).code).toBe('VIRTUAL_SIZE_LIMIT')
  })
})

/** What comes of a file, as one text: facts or a refusal. */
function answer(file: Buffer, cuts: readonly number[], size: number | null): string {
  const inspection = new Inspection(limits, size)
  try {
    let at = 0
    for (const cut of cuts) {
      inspection.push(Buffer.from(file.subarray(at, at + cut)))
      at = Math.min(file.length, at + cut)
    }
    inspection.push(file.subarray(at))
    return JSON.stringify(inspection.finish())
  } catch (error) {
    if (error instanceof Failure) return `${error.code} ${error.message}`
    throw error
  }
}

/** The same of a file that somebody else keeps. */
function answerWhenShown(file: Buffer, size: number | null): string {
  const inspection = new Inspection(limits, size, 'shown')
  const head = () => Buffer.from(file.subarray(0, inspection.headReceived))
  try {
    while (inspection.received < file.length) {
      const end = Math.min(inspection.received + 100_000, inspection.due ?? Infinity)
      inspection.pass(Buffer.from(file.subarray(inspection.received, end)))
      if (inspection.received === inspection.due) inspection.look(head())
    }
    return JSON.stringify(inspection.finish(head()))
  } catch (error) {
    if (error instanceof Failure) return `${error.code} ${error.message}`
    throw error
  }
}

const far = Buffer.concat([
  qcow2({ snapshots: 1, snapshotsOffset: 3_145_728n, length: 3_145_728 }),
  snapshotEntry(196_608n, 2),
  Buffer.alloc(100_000),
])

describe('any chunking of the same bytes', () => {
  const files = [
    far,
    qcow2({ autoclear: 2n }),
    iso({ sectors: 1500, platforms: [0, 0xef], catalogSector: 1200 }),
    iso({ udf: 'pure', blocks: 401 }),
    gptDisk([gptTypes.efi], 512, 3 * mebibyte),
    bytesAt(2_500_000 - 512, 'koly', 2_500_000),
    Buffer.from('<html>login</html>'),
  ]

  test.each(files.map((file, index) => [index, file] as const))(
    'gives the same answer (%i)',
    (_, file) => {
      const cuts = fc.array(
        fc.oneof(fc.integer({ min: 0, max: 70 }), fc.integer({ min: 0, max: 900_000 })),
      )
      const property = fc.property(cuts, fc.boolean(), (cuts, known) => {
        const size = known ? file.length : null
        expect(answer(file, cuts, size)).toBe(answer(file, [], size))
      })
      fc.assert(property, { numRuns: 25, seed: 1 })
    },
  )

  test.each(files.map((file, index) => [index, file] as const))(
    'gives the same answer when the head is kept elsewhere and shown (%i)',
    (_, file) => {
      for (const size of [null, file.length, file.length + 1]) {
        expect(answerWhenShown(file, size)).toBe(answer(file, [], size))
      }
    },
  )

  test('does not go on without a look that is due, nor look at what is not shown', () => {
    const inspection = new Inspection(limits, null, 'shown')
    const due = inspection.due ?? 0
    expect(() => inspection.pass(Buffer.alloc(due + 1))).toThrow('a look was left out')
    inspection.pass(Buffer.alloc(due))
    expect(() => inspection.look(Buffer.alloc(due - 1))).toThrow('a part of the head was shown')
    inspection.look(Buffer.alloc(due))
    expect(() => inspection.finish()).toThrow('the head is not shown')
  })
})

describe('a header with flipped bits', () => {
  const samples = [
    {
      name: 'qcow2',
      file: qcow2({ extensions: [{ type: 0x6803f857, data: Buffer.alloc(48) }] }),
      at: 0,
    },
    { name: 'ISO', file: iso({ platforms: [0, 0xef], joliet: true, udf: 'beside' }), at: 0x8000 },
    { name: 'GPT', file: gptDisk([gptTypes.efi, gptTypes.linux], 512, mebibyte), at: 440 },
  ]

  test.each(samples)('($name) is accepted or refused, never a crash', ({ file, at }) => {
    const answers = new Set<string>()
    const flips = fc.array(fc.record({ byte: fc.nat(8191), bit: fc.nat(7) }), {
      minLength: 1,
      maxLength: 6,
    })
    const property = fc.property(flips, (flips) => {
      const spoilt = Buffer.from(file)
      for (const { byte, bit } of flips) {
        // Most of a header's meaning is in its first bytes.
        const position = at + (byte % 2 === 0 ? byte % 120 : byte)
        spoilt[position] = (spoilt[position] ?? 0) ^ (1 << bit)
      }
      answers.add(verdict(spoilt))
    })
    fc.assert(property, { numRuns: 400, seed: 20_260 })
    expect(answers).toContain('accepted')
    expect(answers).not.toContain('INTERNAL')
  })
})
