import { checksOver, claimsTooMuch } from './checks.ts'
import type { Check, Described, Inspector } from './inspector.ts'
import { surveyVdi } from './vdi-survey.ts'
import type { Windows } from './windows.ts'

/*
 * VDI 1.1, little-endian (formats.md; VirtualBox VDICore.h)
 *
 *   0x40   4  signature 7F 10 DA BE          0x170   8  size of the disk
 *   0x44   4  version, 0x00010001            0x178   4  block size, 1 MiB
 *   0x4C   4  type, see `types`              0x180   4  blocks of the disk
 *   0x154  4  block map offset               0x184   4  blocks that the file holds
 *   0x158  4  data offset                    0x1A8  16  UUID of the image that this one is linked to
 *   0x168  4  sector size, 512               0x1B8  16  UUID of its parent
 */
type Header = {
  readonly version: number
  readonly type: number
  readonly mapOffset: number
  readonly dataOffset: number
  readonly sectorSize: number
  readonly diskSize: bigint
  readonly blockSize: number
  readonly blocks: number
  readonly allocated: number
  readonly isLinked: boolean
}

const signature = [0x7f, 0x10, 0xda, 0xbe]
const headerLength = 0x1c8
const types: { readonly [type: number]: string } = { 1: 'dynamic', 2: 'static' }
const differences = new Set([3, 4])
const blockSize = 1_048_576
const sectorSize = 512
/** What qemu reads (block/vdi.c). */
const mostBlocks = 0x3fff_ffff
const flatten =
  'make one file of it: qemu-img convert -O qcow2, on the machine that has the other file, too'

function readHeader(windows: Windows): Header {
  return {
    version: windows.u32le(0x44),
    type: windows.u32le(0x4c),
    mapOffset: windows.u32le(0x154),
    dataOffset: windows.u32le(0x158),
    sectorSize: windows.u32le(0x168),
    diskSize: windows.u64le(0x170),
    blockSize: windows.u32le(0x178),
    blocks: windows.u32le(0x180),
    allocated: windows.u32le(0x184),
    isLinked: windows.bytes(0x1a8, 32).some((byte) => byte !== 0),
  }
}

const check = checksOver(readHeader)

function layoutProblem(header: Header): string | null {
  const { sectorSize: sector, blockSize: block, mapOffset, dataOffset, blocks } = header
  if (sector !== sectorSize) return `the sectors have ${sector} bytes; ${sectorSize} are possible`
  if (block !== blockSize) return `the blocks have ${block} bytes; ${blockSize} are possible`
  if (blocks > mostBlocks)
    return `the disk has ${blocks} blocks; at most ${mostBlocks} are possible`
  if (mapOffset % sectorSize !== 0 || dataOffset % sectorSize !== 0) {
    return 'the block map or the data do not begin at a sector'
  }
  if (mapOffset < headerLength) return 'the block map would lie in the header'
  if (mapOffset + blocks * 4 > dataOffset) return 'the block map reaches into the data'
  return null
}

function diskProblem({ diskSize, blocks }: Header): string | null {
  if (diskSize === 0n) return 'the disk in the image has a size of 0'
  if (diskSize % BigInt(sectorSize) !== 0n) {
    return `a disk of ${diskSize} bytes is not made of whole sectors`
  }
  if (diskSize <= BigInt(blocks) * BigInt(blockSize)) return null
  return `${blocks} blocks are too few for a disk of ${diskSize} bytes`
}

/** Blocks follow each other without a gap, so their number tells how long the file has to be. */
function lengthProblem({ dataOffset, blocks, allocated }: Header, { size }: Windows) {
  if (allocated > blocks) return `${allocated} of ${blocks} blocks cannot be in the file`
  const end = dataOffset + allocated * blockSize
  if (size === null || end <= size) return null
  return `the blocks would end at byte ${end} but the file has ${size} bytes; it was cut short`
}

const checks: readonly [Check, ...Check[]] = [
  check('version', 'UNSUPPORTED_FORMAT', ({ version }) =>
    version === 0x0001_0001
      ? null
      : `version ${version >>> 16}.${version & 0xffff} of VDI is not known; 1.1 is`,
  ),
  check('difference', 'EXTERNAL_REFERENCE', ({ type, isLinked }) =>
    differences.has(type) || isLinked
      ? `the image is only the difference to another image; ${flatten}`
      : null,
  ),
  check('type', 'INVALID_HEADER', ({ type }) =>
    types[type] === undefined ? `${type} is no type of a VDI image` : null,
  ),
  check('layout', 'INVALID_HEADER', layoutProblem),
  check('disk', 'INVALID_HEADER', diskProblem),
  check('virtual size', 'VIRTUAL_SIZE_LIMIT', ({ diskSize }, _windows, limits) =>
    claimsTooMuch(diskSize, limits),
  ),
  check('blocks', 'INVALID_HEADER', lengthProblem),
]

function describe(windows: Windows): Described {
  const { diskSize, type } = readHeader(windows)
  return {
    format: 'vdi',
    unpackedBytes: Number(diskSize),
    // What the guest would start from lies in blocks anywhere in the file.
    bootable: 'unknown',
    architecture: null,
    details: { type: types[type] ?? 'unknown' },
  }
}

export const vdi: Inspector = {
  format: 'vdi',
  title: 'VDI',
  regions: [{ from: 'start', offset: 0x40, length: 4 }],
  matches: (windows) => windows.has(0x40, signature),
  checks,
  describe,
  survey: (file, signal) => surveyVdi(file, readHeader, signal),
}
