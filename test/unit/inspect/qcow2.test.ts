import { describe, expect, test } from 'vitest'
import { qcow2, snapshotEntry, type Qcow2Fields } from '../../fixtures/qcow2.ts'
import { inspect, refusal, verdict } from '../../fixtures/verdict.ts'

const gibibyte = 1_073_741_824n

type Case = readonly [title: string, fields: Partial<Qcow2Fields>, verdict: string]

const extension = (type: number, data = Buffer.alloc(8)) => ({ extensions: [{ type, data }] })

const cases: readonly Case[] = [
  ['version 2', { version: 2 }, 'accepted'],
  ['version 3', { version: 3 }, 'accepted'],
  ['version 1', { version: 1 }, 'UNSUPPORTED_FORMAT'],
  ['version 4', { version: 4 }, 'UNSUPPORTED_FORMAT'],
  ['a backing file', { backingOffset: 512n, backingLength: 11 }, 'EXTERNAL_REFERENCE'],
  ['an offset of a backing file alone', { backingOffset: 512n }, 'EXTERNAL_REFERENCE'],
  ['a length of a backing file alone', { backingLength: 1 }, 'EXTERNAL_REFERENCE'],
  ['a backing format', extension(0xe2792aca), 'EXTERNAL_REFERENCE'],
  ['a backing format in version 2', { version: 2, ...extension(0xe2792aca) }, 'EXTERNAL_REFERENCE'],
  ['a data file by its bit', { incompatible: 4n }, 'EXTERNAL_REFERENCE'],
  ['a data file by its extension', extension(0x44415441), 'EXTERNAL_REFERENCE'],
  ['a raw data file by its autoclear bit', { autoclear: 2n }, 'EXTERNAL_REFERENCE'],
  ['a table of feature names', extension(0x6803f857, Buffer.alloc(48)), 'accepted'],
  ['an extension nobody knows', extension(0x12345678), 'accepted'],
  ['AES', { encryption: 1 }, 'ENCRYPTED_IMAGE'],
  ['LUKS', { encryption: 2 }, 'ENCRYPTED_IMAGE'],
  ['an encryption header', extension(0x0537be77, Buffer.alloc(16)), 'ENCRYPTED_IMAGE'],
  ['an encryption method nobody knows', { encryption: 3 }, 'INVALID_HEADER'],
  ['the dirty bit', { incompatible: 1n }, 'accepted'],
  ['the corrupt bit', { incompatible: 2n }, 'INVALID_HEADER'],
  ['incompatible bit 5', { incompatible: 32n }, 'UNSUPPORTED_FORMAT'],
  ['incompatible bit 63', { incompatible: 1n << 63n }, 'UNSUPPORTED_FORMAT'],
  ['compatible and autoclear bits nobody knows', { compatible: 96n, autoclear: 96n }, 'accepted'],
  ['extended L2 with 16 KiB clusters', { incompatible: 16n, clusterBits: 14 }, 'accepted'],
  ['extended L2 with 8 KiB clusters', { incompatible: 16n, clusterBits: 13 }, 'INVALID_HEADER'],
  ['cluster bits of 9', { clusterBits: 9, size: 65_536n }, 'accepted'],
  ['cluster bits of 8', { clusterBits: 8, size: 65_536n }, 'INVALID_HEADER'],
  ['cluster bits of 21', { clusterBits: 21 }, 'accepted'],
  ['cluster bits of 22', { clusterBits: 22 }, 'INVALID_HEADER'],
  ['cluster bits of 40', { clusterBits: 40 }, 'INVALID_HEADER'],
  ['zstd', { incompatible: 8n, compression: 1 }, 'accepted'],
  ['zstd without its bit', { compression: 1 }, 'INVALID_HEADER'],
  ['its bit without zstd', { incompatible: 8n }, 'INVALID_HEADER'],
  ['compression type 2', { incompatible: 8n, compression: 2 }, 'UNSUPPORTED_FORMAT'],
  ['a header of 104 bytes', { headerLength: 104 }, 'accepted'],
  ['a header of 96 bytes', { headerLength: 96 }, 'INVALID_HEADER'],
  ['a header of 108 bytes', { headerLength: 108 }, 'INVALID_HEADER'],
  ['a header longer than a cluster', { headerLength: 65_544 }, 'INVALID_HEADER'],
  ['refcounts of 64 bits', { refcountOrder: 6 }, 'accepted'],
  ['refcounts of 128 bits', { refcountOrder: 7 }, 'INVALID_HEADER'],
  ['a virtual size of 0', { size: 0n, l1Entries: 1 }, 'INVALID_HEADER'],
  ['a virtual size of a sector', { size: 512n }, 'accepted'],
  ['a virtual size below a sector', { size: 511n }, 'INVALID_HEADER'],
  ['an odd snapshot offset and no snapshots', { snapshotsOffset: 4n }, 'INVALID_HEADER'],
  ['a virtual size at the limit', { size: 1n << 40n }, 'accepted'],
  ['a virtual size past the limit', { size: (1n << 40n) + 1n }, 'VIRTUAL_SIZE_LIMIT'],
  ['a virtual size of 8 EiB', { size: 1n << 63n, l1Entries: 1 }, 'VIRTUAL_SIZE_LIMIT'],
  ['an L1 table that is one entry short', { l1Entries: 1 }, 'INVALID_HEADER'],
  ['an L1 table with an entry to spare', { l1Entries: 3 }, 'accepted'],
  ['an L1 table in the header', { l1Offset: 0n }, 'INVALID_HEADER'],
  ['an L1 table beside the clusters', { l1Offset: 196_609n }, 'INVALID_HEADER'],
  ['an L1 table behind the end', { l1Offset: 262_144n }, 'INVALID_HEADER'],
  ['an L1 table at 2^56', { l1Offset: 1n << 56n }, 'INVALID_HEADER'],
  ['an L1 table past 32 MiB', { l1Entries: 4_194_305 }, 'INVALID_HEADER'],
  ['no refcount table', { refcountClusters: 0 }, 'INVALID_HEADER'],
  ['a refcount table of 8 MiB', { refcountClusters: 128, length: 8_650_752 }, 'accepted'],
  ['a refcount table past 8 MiB', { refcountClusters: 129, length: 9_000_000 }, 'INVALID_HEADER'],
  ['a refcount table behind the end', { refcountOffset: 1n << 40n }, 'INVALID_HEADER'],
  ['65537 snapshots', { snapshots: 65_537, snapshotsOffset: 65_536n }, 'INVALID_HEADER'],
  ['snapshots behind the end', { snapshots: 1, snapshotsOffset: 1n << 40n }, 'INVALID_HEADER'],
]

const extensions = (count: number) =>
  qcow2({
    extensions: Array.from({ length: count }, () => ({ type: 1, data: Buffer.alloc(0) })),
  })

const bitmaps = (offset: bigint, autoclear: bigint, count = 2) => {
  const data = Buffer.alloc(24)
  data.writeUInt32BE(count)
  data.writeBigUInt64BE(64n, 8)
  data.writeBigUInt64BE(offset, 16)
  return qcow2({ autoclear, extensions: [{ type: 0x23852875, data }] })
}

describe('a qcow2', () => {
  test.each(cases)('with %s is judged', (_title, fields, expected) => {
    expect(verdict(qcow2(fields))).toBe(expected)
  })

  test('tells its size, in whole sectors as QEMU shows it, and its details', () => {
    expect(inspect(qcow2({ size: gibibyte + 1n, compatible: 1n, incompatible: 1n }))).toEqual({
      format: 'qcow2',
      unpackedBytes: 1_073_741_824,
      allocatedBytes: null,
      bootable: 'unknown',
      architecture: null,
      details: {
        version: 3,
        compression: 'zlib',
        clusterSize: 65_536,
        extendedL2: false,
        lazyRefcounts: true,
        bitmaps: 0,
        snapshots: 0,
        warnings: ['the image was not closed properly (dirty bit)'],
      },
    })
  })

  test('of version 2 does not care about bytes from 72 on', () => {
    const file = qcow2({ version: 2 })
    file[79] = 4
    file.fill(0xff, 80, 112)
    expect(verdict(file)).toBe('accepted')
  })

  test('whose end mark of the extensions has a length that reaches too far is refused', () => {
    const file = qcow2()
    const end = file.readUInt32BE(100)
    file.writeUInt32BE(0, end)
    file.writeUInt32BE(65_536 - end - 8, end + 4)
    expect(verdict(file)).toBe('accepted')
    file.writeUInt32BE(65_536 - end - 7, end + 4)
    expect(verdict(file)).toBe('INVALID_HEADER')
  })

  test('of more extensions than anyone has is refused', () => {
    expect(verdict(extensions(256))).toBe('accepted')
    expect(verdict(extensions(257))).toBe('INVALID_HEADER')
  })

  test('may end right behind its L1 table and not one byte before', () => {
    const file = qcow2({ incompatible: 16n, size: 10n * gibibyte })
    const end = 196_608 + 40 * 8
    expect(verdict(file.subarray(0, end))).toBe('accepted')
    expect(verdict(file.subarray(0, end - 1))).toBe('INVALID_HEADER')
  })

  test('of extended L2 needs twice the L1 entries', () => {
    expect(verdict(qcow2({ incompatible: 16n, l1Entries: 4 }))).toBe('accepted')
    expect(verdict(qcow2({ incompatible: 16n, l1Entries: 3 }))).toBe('INVALID_HEADER')
  })

  test('whose extension reaches behind the first cluster is refused', () => {
    const long = { type: 1, data: Buffer.alloc(8), length: 65_536 - 112 - 8 }
    expect(verdict(qcow2({ extensions: [long] }))).toBe('accepted')
    const longer = { ...long, length: long.length + 1 }
    expect(verdict(qcow2({ extensions: [longer] }))).toBe('INVALID_HEADER')
  })

  test('with bitmaps has their directory inside the file', () => {
    expect(inspect(bitmaps(196_608n, 1n)).details['bitmaps']).toBe(2)
    expect(verdict(bitmaps(262_144n, 1n))).toBe('INVALID_HEADER')
    expect(inspect(bitmaps(262_144n, 0n)).details['bitmaps']).toBe(0)
    expect(verdict(bitmaps(196_608n, 1n, 0))).toBe('INVALID_HEADER')
    expect(verdict(bitmaps(196_608n, 1n, 65_535))).toBe('accepted')
    expect(verdict(bitmaps(196_608n, 1n, 65_536))).toBe('INVALID_HEADER')
  })

  test('with snapshots tells how many, wherever their table lies', () => {
    for (const offset of [262_144, 2_097_152 - 65_536, 4_194_304]) {
      const entries = [snapshotEntry(196_608n, 2), snapshotEntry(196_608n, 2, 1024)]
      const fields = { snapshots: 2, snapshotsOffset: BigInt(offset), length: offset }
      const file = Buffer.concat([qcow2(fields), ...entries, Buffer.alloc(3_000_000)])
      expect(inspect(file).details['snapshots']).toBe(2)
      file.writeUInt32BE(1025, offset + 36)
      expect(refusal(() => inspect(file))).toMatchObject({ code: 'INVALID_HEADER' })
    }
  })

  test('with a snapshot whose L1 table lies behind the end is refused', () => {
    const fields = { snapshots: 1, snapshotsOffset: 262_144n }
    const file = Buffer.concat([qcow2(fields), snapshotEntry(1n << 40n, 2)])
    expect(refusal(() => inspect(file)).message).toContain('snapshot 1')
  })

  test('names the way out', () => {
    const { message } = refusal(() => inspect(qcow2({ backingOffset: 512n, backingLength: 4 })))
    expect(message).toContain('qemu-img convert')
  })
})
