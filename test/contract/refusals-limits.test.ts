import { describe, expect, test } from 'vitest'
import { iso } from '../fixtures/iso.ts'
import { qcow2, snapshotEntry } from '../fixtures/qcow2.ts'
import { vdi } from '../fixtures/vdi.ts'
import { limits, verdict } from '../fixtures/verdict.ts'
import { dynamicVhd } from '../fixtures/vhd.ts'
import { usualRegions, vhdx } from '../fixtures/vhdx.ts'
import { vmdk } from '../fixtures/vmdk.ts'

/** A field at its limit, where it is accepted, and one past it, where it is not. */
type Limit = readonly [field: string, most: () => Buffer, past: () => Buffer, code: string]

const invalid = 'INVALID_HEADER'
const tooLarge = 'VIRTUAL_SIZE_LIMIT'
const unknown = 'UNSUPPORTED_FORMAT'
const mebibyte = 1_048_576
const largest = BigInt(limits.maxVirtualSize)

/** The file with so many more zeros at its end, or before the last so many bytes. */
const longer = (file: Buffer, by: number, last = 0) =>
  Buffer.concat([
    file.subarray(0, file.length - last),
    Buffer.alloc(by),
    file.subarray(file.length - last),
  ])
const shorter = (file: Buffer, by: number) => file.subarray(0, file.length - by)

const smallClusters = { clusterBits: 9, size: 65_536n, length: 16_384 } as const
const bitsOf = (bits: bigint) => qcow2({ incompatible: bits })
const withExtension = (length: number) =>
  qcow2({ ...smallClusters, extensions: [{ type: 7, data: Buffer.alloc(8), length }] })

function snapshots(count: number, extra = 16): Buffer {
  const entry = snapshotEntry(196_608n, 2, extra)
  const table = Buffer.concat(Array.from({ length: count }, () => entry))
  return Buffer.concat([
    qcow2({ snapshots: count, snapshotsOffset: 262_144n, length: 262_144 }),
    table,
  ])
}

const ofQcow2: readonly Limit[] = [
  ['version, up', () => qcow2({ version: 3 }), () => qcow2({ version: 4 }), unknown],
  ['version, down', () => qcow2({ version: 2 }), () => qcow2({ version: 1 }), unknown],
  ['cluster bits, down', () => qcow2(smallClusters), () => qcow2({ clusterBits: 8 }), invalid],
  ['cluster bits, up', () => qcow2({ clusterBits: 21 }), () => qcow2({ clusterBits: 22 }), invalid],
  [
    'cluster bits with extended L2',
    () => qcow2({ clusterBits: 14, incompatible: 16n }),
    () => qcow2({ clusterBits: 13, incompatible: 16n }),
    invalid,
  ],
  [
    'header length, down',
    () => qcow2({ headerLength: 104 }),
    () => qcow2({ headerLength: 96 }),
    invalid,
  ],
  [
    'header length, in eights',
    () => qcow2({ headerLength: 120 }),
    () => qcow2({ headerLength: 116 }),
    invalid,
  ],
  [
    'header length, up to a cluster',
    () => qcow2({ ...smallClusters, headerLength: 512 }),
    () => qcow2({ ...smallClusters, headerLength: 520 }),
    invalid,
  ],
  // Data from 112 + 8 on, up to byte 512.
  ['length of an extension', () => withExtension(392), () => withExtension(393), invalid],
  [
    'reference counts',
    () => qcow2({ refcountOrder: 6 }),
    () => qcow2({ refcountOrder: 7 }),
    invalid,
  ],
  [
    'reference table, down',
    () => qcow2({ refcountClusters: 1 }),
    () => qcow2({ refcountClusters: 0 }),
    invalid,
  ],
  [
    'reference table, up to 8 MiB',
    () => longer(qcow2({ refcountClusters: 128, length: 262_144 }), 9 * mebibyte),
    () => longer(qcow2({ refcountClusters: 129, length: 262_144 }), 9 * mebibyte),
    invalid,
  ],
  ['L1 entries, down', () => qcow2({ l1Entries: 2 }), () => qcow2({ l1Entries: 1 }), invalid],
  [
    'L1 entries, up to 32 MiB',
    () => qcow2({ l1Entries: 4_194_304 }),
    () => qcow2({ l1Entries: 4_194_305 }),
    invalid,
  ],
  [
    'end of the L1 table',
    () => qcow2({ length: 196_608 + 16 }),
    () => qcow2({ length: 196_608 + 15 }),
    invalid,
  ],
  ['place of the L1 table', () => qcow2(), () => qcow2({ l1Offset: 196_616n }), invalid],
  ['place of the L1 table, up', () => qcow2(), () => qcow2({ l1Offset: 1n << 56n }), invalid],
  [
    'place of the reference table',
    () => qcow2(),
    () => qcow2({ refcountOffset: 65_544n }),
    invalid,
  ],
  ['number of snapshots', () => snapshots(65_536, 0), () => snapshots(65_537, 0), invalid],
  ['extra data of a snapshot', () => snapshots(1, 1024), () => snapshots(1, 1025), invalid],
  ['known features', () => bitsOf(16n), () => bitsOf(32n), unknown],
  [
    'compression',
    () => qcow2({ incompatible: 8n, compression: 1 }),
    () => qcow2({ incompatible: 8n, compression: 2 }),
    unknown,
  ],
  ['compression without its bit', () => qcow2(), () => qcow2({ compression: 1 }), invalid],
  ['encryption', () => qcow2({ encryption: 0 }), () => qcow2({ encryption: 3 }), invalid],
  ['size, down', () => qcow2({ size: 512n }), () => qcow2({ size: 0n }), invalid],
  ['size, up', () => qcow2({ size: largest }), () => qcow2({ size: largest + 1n }), tooLarge],
]

/** Tables behind the longest descriptor there may be. */
const farTables = {
  directory: 2100n,
  secondDirectory: 2100n,
  grainsOffset: 2200n,
} as const
const described = (descriptorSize: bigint) =>
  longer(vmdk({ ...farTables, descriptorSize }), 2 * mebibyte)

const ofVmdk: readonly Limit[] = [
  ['version, up', () => vmdk({ version: 3 }), () => vmdk({ version: 4 }), unknown],
  ['version, down', () => vmdk({ version: 1 }), () => vmdk({ version: 0 }), unknown],
  ['grain, up', () => vmdk({ grain: 128n }), () => vmdk({ grain: 256n }), invalid],
  ['grain, powers of 2', () => vmdk({ grain: 64n }), () => vmdk({ grain: 65n }), invalid],
  [
    'table entries, up',
    () => vmdk({ tableEntries: 512 }),
    () => vmdk({ tableEntries: 513 }),
    invalid,
  ],
  ['table entries, down', () => vmdk(), () => vmdk({ tableEntries: 0 }), invalid],
  ['descriptor', () => vmdk(), () => vmdk({ descriptorOffset: 2n }), invalid],
  ['length of the descriptor', () => described(2048n), () => described(2049n), invalid],
  ['compression', () => vmdk({ flags: 3 }), () => vmdk({ flags: 3, compression: 2 }), invalid],
  ['end of the directory', () => vmdk(), () => vmdk({ directory: 1n << 32n }), invalid],
  ['size, up', () => bigVmdk(largest / 512n), () => bigVmdk(largest / 512n + 1n), tooLarge],
]

/** 1 TiB needs 32 768 directory entries, 256 sectors. */
function bigVmdk(capacity: bigint): Buffer {
  const tables = { directory: 300n, secondDirectory: 300n, grainsOffset: 700n }
  return longer(vmdk({ ...tables, capacity }), mebibyte)
}

/** One block more than the limit needs, so that only the size is too much. */
function bigVdi(diskSize: bigint): Buffer {
  const map = { dataOffset: 1024 + 4 * mebibyte, blocks: mebibyte + 1, allocated: 0 }
  return longer(vdi({ ...map, diskSize }), 5 * mebibyte)
}

const ofVdi: readonly Limit[] = [
  ['version', () => vdi(), () => vdi({ version: 0x0001_0002 }), unknown],
  ['type', () => vdi({ type: 2, allocated: 2 }), () => vdi({ type: 5 }), invalid],
  ['sector', () => vdi({ sectorSize: 512 }), () => vdi({ sectorSize: 4096 }), invalid],
  ['block', () => vdi(), () => vdi({ blockSize: 2 * mebibyte }), invalid],
  ['place of the map', () => vdi({ mapOffset: 512 }), () => vdi({ mapOffset: 513 }), invalid],
  ['place of the map, down', () => vdi({ mapOffset: 512 }), () => vdi({ mapOffset: 0 }), invalid],
  [
    'end of the map',
    () => vdi({ blocks: 128, allocated: 1 }),
    () => vdi({ blocks: 129, allocated: 1 }),
    invalid,
  ],
  ['blocks', () => vdi({ blocks: 2 }), () => vdi({ blocks: 1 }), invalid],
  ['blocks in the file', () => vdi({ allocated: 2 }), () => vdi({ allocated: 3 }), invalid],
  ['end of the blocks', () => vdi(), () => shorter(vdi(), 1), invalid],
  ['size, down', () => vdi({ diskSize: 512n }), () => vdi({ diskSize: 511n }), invalid],
  ['size, up', () => bigVdi(largest), () => bigVdi(largest + 512n), tooLarge],
]

const bigVhd = (size: bigint) =>
  longer(dynamicVhd({ size, entries: 600, blockSize: 2 ** 31 }), 4096, 512)

const ofVhd: readonly Limit[] = [
  ['checksum', () => dynamicVhd(), () => dynamicVhd({ spoilFooter: 1 }), invalid],
  ['checksum of the header', () => dynamicVhd(), () => dynamicVhd({ spoilHeader: 1 }), invalid],
  ['type', () => dynamicVhd({ type: 3 }), () => dynamicVhd({ type: 5 }), invalid],
  ['type, down', () => dynamicVhd({ type: 3 }), () => dynamicVhd({ type: 1 }), invalid],
  ['block', () => dynamicVhd(), () => dynamicVhd({ blockSize: 3 * mebibyte }), invalid],
  ['block, down', () => small(512), () => small(256), invalid],
  ['entries', () => dynamicVhd({ entries: 2 }), () => dynamicVhd({ entries: 1 }), invalid],
  ['end of the table', () => dynamicVhd(), () => dynamicVhd({ tableOffset: 2553n }), invalid],
  ['size, in sectors', () => dynamicVhd(), () => dynamicVhd({ size: 4_194_303n }), invalid],
  ['size, up', () => bigVhd(largest), () => bigVhd(largest + 512n), tooLarge],
]

function small(blockSize: number): Buffer {
  return dynamicVhd({ size: 512n, blockSize, entries: 4 })
}

const [metadata = { id: '', offset: 0, length: 0 }, blocks = metadata] = usualRegions
const atRegion = (change: Partial<typeof blocks>) =>
  vhdx({ regions: [metadata, { ...blocks, ...change }] })
/** 131 072 entries fit in the block table of 1 MiB; after every 4096 blocks of 1 MiB one is for a bitmap. */
const full = (blocks: number) => vhdx({ blockSize: mebibyte, size: BigInt(blocks) * 1_048_576n })
const bigVhdx = (size: bigint) => vhdx({ size, blockSize: 256 * mebibyte })

const ofVhdx: readonly Limit[] = [
  ['block, down', () => full(64), () => vhdx({ blockSize: mebibyte / 2 }), invalid],
  ['block, up', () => bigVhdx(67_108_864n), () => vhdx({ blockSize: 512 * mebibyte }), invalid],
  ['block, powers of 2', () => vhdx(), () => vhdx({ blockSize: 3 * mebibyte }), invalid],
  ['sector', () => vhdx({ sectorSize: 4096 }), () => vhdx({ sectorSize: 2048 }), invalid],
  ['block table', () => full(131_041), () => full(131_042), invalid],
  ['place of a region', () => vhdx(), () => atRegion({ offset: 3 * mebibyte + 4096 }), invalid],
  ['place of a region, down', () => vhdx(), () => atRegion({ offset: 0 }), invalid],
  [
    'place of a region, beside another',
    () => vhdx(),
    () => atRegion({ offset: 2 * mebibyte }),
    invalid,
  ],
  ['end of a region', () => vhdx(), () => shorter(vhdx(), 1), invalid],
  ['length of a region', () => vhdx(), () => atRegion({ length: mebibyte - 1 }), invalid],
  ['size, down', () => vhdx({ size: 512n }), () => vhdx({ size: 511n }), invalid],
  ['size, up', () => bigVhdx(largest), () => bigVhdx(largest + 512n), tooLarge],
]

const ofIso: readonly Limit[] = [
  ['blocks', () => iso({ blocks: 400 }), () => iso({ blocks: 401 }), invalid],
  ['blocks, down', () => iso({ blocks: 1 }), () => iso({ blocks: 0 }), invalid],
  ['block size', () => iso({ blockSize: 2048 }), () => iso({ blockSize: 4096 }), invalid],
  [
    'boot catalog',
    () => iso({ platforms: [0], catalogSector: 399 }),
    () => shorter(iso({ platforms: [0], catalogSector: 399, blocks: 300 }), 1),
    invalid,
  ],
]

describe.each([
  ['qcow2', ofQcow2],
  ['VMDK', ofVmdk],
  ['VDI', ofVdi],
  ['VHD', ofVhd],
  ['VHDX', ofVhdx],
  ['ISO', ofIso],
] as const)('a header of %s', (_format, cases) => {
  test.each(cases)('may go up to its limit and no further: %s', (_field, most, past, code) => {
    const accepted = most()
    expect(verdict(accepted)).toBe('accepted')
    expect(verdict(accepted, accepted.length)).toBe('accepted')
    const refused = past()
    expect(verdict(refused)).toBe(code)
    expect(verdict(refused, refused.length)).toBe(code)
  })
})
