import { describe, expect, test } from 'vitest'
import { Bug } from '../../../src/errors.ts'
import { Inspection } from '../../../src/inspect/inspection.ts'
import { inspectSparsely } from '../../../src/inspect/sparse.ts'
import { iso } from '../../fixtures/iso.ts'
import { qcow2, snapshotEntry } from '../../fixtures/qcow2.ts'
import { bytesAt, gptDisk, gptTypes } from '../../fixtures/raw.ts'
import { inspect, limits, refusal } from '../../fixtures/verdict.ts'
import { dynamicVhd, fixedVhd } from '../../fixtures/vhd.ts'
import { vhdx } from '../../fixtures/vhdx.ts'
import { streamOptimized } from '../../fixtures/vmdk.ts'

const never = new AbortController().signal
const mebibyte = 1_048_576

async function sparsely(file: Buffer) {
  let read = 0
  const whole = {
    size: file.length,
    read: async (offset: number, length: number) => {
      const bytes = Buffer.from(file.subarray(offset, offset + length))
      read += bytes.length
      return bytes
    },
  }
  const facts = await inspectSparsely(whole, limits, never)
  return { facts, read }
}

const followed = (file: Buffer, length: number) =>
  Buffer.concat([file, Buffer.alloc(length - file.length)])

const files: readonly (readonly [string, Buffer])[] = [
  ['a short file', Buffer.alloc(700)],
  ['a qcow2 of 20 MiB', followed(qcow2(), 20 * mebibyte)],
  [
    'a qcow2 with snapshots far behind',
    Buffer.concat([
      qcow2({ snapshots: 1, snapshotsOffset: 6_291_456n, length: 6_291_456 }),
      snapshotEntry(196_608n, 2),
      Buffer.alloc(3 * mebibyte),
    ]),
  ],
  ['a VHDX, whose metadata lie at 2 MiB', followed(vhdx(), 9 * mebibyte)],
  [
    'a dynamic VHD',
    Buffer.concat([dynamicVhd(), Buffer.alloc(4 * mebibyte), dynamicVhd().subarray(0, 512)]),
  ],
  ['a fixed VHD', fixedVhd(Buffer.alloc(4 * mebibyte))],
  ['a VMDK that ends with its footer', streamOptimized()],
  ['an ISO with a late catalog', iso({ sectors: 3000, platforms: [0, 0xef], catalogSector: 2400 })],
  ['a GPT disk of 9 MiB', gptDisk([gptTypes.efi, gptTypes.linux], 512, 9 * mebibyte)],
  ['bytes with a DMG at their end', bytesAt(9 * mebibyte - 512, 'koly', 9 * mebibyte)],
]

describe('an inspection of a few places', () => {
  test.each(files)('of %s gives the verdict of one that reads all', async (_title, file) => {
    let expected: unknown
    try {
      expected = inspect(file, 65_536, file.length)
    } catch {
      const { code, message } = refusal(() => inspect(file, 65_536, file.length))
      await expect(sparsely(file)).rejects.toMatchObject({ code, message })
      return
    }
    const { facts, read } = await sparsely(file)
    expect(facts).toEqual(expected)
    expect(read).toBeLessThanOrEqual(2 * mebibyte + 65_536 + 4 * 131_072)
  })

  test('never passes over what is wanted', () => {
    const file = vhdx()
    const inspection = new Inspection(limits, 9 * mebibyte)
    inspection.push(file.subarray(0, 2 * mebibyte))
    expect(inspection.wanted()).toEqual([{ offset: 2 * mebibyte, length: 131_072 }])
    expect(() => inspection.skip(8 * mebibyte)).toThrow(Bug)
    const short = new Inspection(limits, 9 * mebibyte)
    short.push(file.subarray(0, mebibyte))
    expect(() => short.skip(2 * mebibyte)).toThrow(Bug)
  })

  test('tells what is known so far', () => {
    const unknown = new Inspection(limits, null)
    expect(unknown.soFar()).toBeNull()
    unknown.push(iso({ sectors: 1200 }))
    expect(unknown.soFar()).toMatchObject({ format: 'iso', unpackedBytes: null })
    const known = new Inspection(limits, 9_000_000)
    known.push(gptDisk([gptTypes.efi], 512, 3 * mebibyte))
    expect(known.soFar()).toMatchObject({ format: 'raw', unpackedBytes: 9_000_000 })
    const header = new Inspection(limits, null)
    header.push(followed(qcow2(), 3 * mebibyte))
    expect(header.soFar()).toMatchObject({ format: 'qcow2', unpackedBytes: 1_073_741_824 })
  })
})
