import { claimsTooMuch } from './checks.ts'
import type { Check, Described, Inspector, Region as Place } from './inspector.ts'
import { currentHeader, readItems, readRegions, type Item, type Region } from './vhdx-layout.ts'
import { surveyVhdx } from './vhdx-survey.ts'
import { aheadLength, type Windows } from './windows.ts'

const cookie = 'vhdxfile'
const mebibyte = 1_048_576
const largestBlock = 256 * mebibyte
/** [MS-VHDX] section 2.6.2.2. */
const largestDisk = 64n * 1024n ** 4n

const regionIds = {
  blocks: '2dc27766-f623-4200-9d64-115e9bfd4a08',
  metadata: '8b7ca206-4790-4b9a-b8fe-575f050f886e',
} as const
const itemIds = {
  parameters: 'caa16737-fa36-4d43-b3b6-33f0aa44e76b',
  diskSize: '2fa54224-cd1b-4876-b211-5dbed83bf4b8',
  identity: 'beca12ab-b2e6-4523-93ef-c309e000c746',
  logicalSector: '8141bf1d-a96f-4709-ba47-f233a8faab5f',
  physicalSector: 'cda348c7-445d-4471-9cc9-e9885251c556',
  parent: 'a8d35f2d-b30b-454d-abf7-d3d84834ab0c',
} as const
const flatten =
  'make one file of it: qemu-img convert -O qcow2, on the machine that has the other file, too'

/** Where the metadata begin; null when no sound region table says so. */
function metadataAt(windows: Windows): number | null {
  const region = readRegions(windows)?.find(({ id }) => id === regionIds.metadata)
  return region && region.offset <= Number.MAX_SAFE_INTEGER ? Number(region.offset) : null
}

type Metadata = { readonly at: number; readonly items: readonly Item[] }

function metadata(windows: Windows): Metadata | null {
  const at = metadataAt(windows)
  const items = at === null ? null : readItems(windows, at)
  return at === null || items === null ? null : { at, items }
}

/** Where an item's bytes stand; null when there is no such item, it is too short, or lies where nobody puts it. */
function place({ at, items }: Metadata, id: string, length: number): number | null {
  const item = items.find((each) => each.id === id)
  if (!item || item.length < length || Number(item.offset) + length > aheadLength) return null
  return at + Number(item.offset)
}

type Disk = {
  readonly size: bigint
  readonly blockSize: number
  readonly hasParent: boolean
  readonly sectorSize: number
}

function readDisk(windows: Windows): Disk | null {
  const found = metadata(windows)
  if (!found) return null
  const parameters = place(found, itemIds.parameters, 8)
  const size = place(found, itemIds.diskSize, 8)
  const sector = place(found, itemIds.logicalSector, 4)
  if (parameters === null || size === null || sector === null) return null
  return {
    size: windows.u64le(size),
    blockSize: windows.u32le(parameters),
    hasParent:
      (windows.u32le(parameters + 4) & 2) === 2 || place(found, itemIds.parent, 0) !== null,
    sectorSize: windows.u32le(sector),
  }
}

function logProblem(windows: Windows): string | null {
  const at = currentHeader(windows)
  if (at === null) return 'neither of its two headers is sound; the file is damaged'
  if (windows.bytes(at + 48, 16).every((byte) => byte === 0)) return null
  return 'it was not closed properly and has a log to replay; open and close it in Hyper-V, or convert it with qemu-img'
}

function regionsProblem(windows: Windows): string | null {
  const regions = readRegions(windows)
  if (!regions) return 'neither of its two region tables is sound; the file is damaged'
  for (const id of Object.values(regionIds)) {
    if (regions.filter((region) => region.id === id).length !== 1) {
      return 'the region table does not name one block table and one metadata region'
    }
  }
  const sorted = regions.toSorted((one, other) => (one.offset < other.offset ? -1 : 1))
  for (const [index, region] of sorted.entries()) {
    const problem = misplaced(region, sorted[index + 1], windows)
    if (problem !== null) return problem
  }
  return null
}

function misplaced({ id, offset, length }: Region, next: Region | undefined, { size }: Windows) {
  const end = offset + BigInt(length)
  const step = BigInt(mebibyte)
  if (offset < step || offset % step !== 0n || BigInt(length) % step !== 0n || length === 0) {
    return `the region ${id} is not made of whole MiB behind the first`
  }
  if (next && next.offset < end) return `the region ${id} overlaps another one`
  if (size === null || end <= size) return null
  return `the region ${id} would end at byte ${end} but the file has ${size} bytes; it was cut short`
}

function unknownProblem(windows: Windows): string | null {
  const known: ReadonlySet<string> = new Set([
    ...Object.values(regionIds),
    ...Object.values(itemIds),
  ])
  const named = [...(readRegions(windows) ?? []), ...(metadata(windows)?.items ?? [])]
  const unknown = named.find(({ id, isRequired }) => isRequired && !known.has(id))
  return unknown ? `it needs ${unknown.id}, which is not known here` : null
}

/** Items that tell nothing here and yet have to be there ([MS-VHDX] section 2.6.2). */
const demanded = [
  { name: 'the identity of the disk', id: itemIds.identity, length: 16 },
  { name: 'the size of physical sectors', id: itemIds.physicalSector, length: 4 },
] as const

function diskProblem(windows: Windows): string | null {
  const disk = readDisk(windows)
  if (!disk) return 'the metadata do not tell what disk this is; the file is damaged'
  const found = metadata(windows)
  const lacks = demanded.find(({ id, length }) => !found || place(found, id, length) === null)
  if (lacks) return `the metadata lack ${lacks.name}, without which nobody opens it`
  const { size, blockSize, sectorSize } = disk
  if (sectorSize !== 512 && sectorSize !== 4096) return `${sectorSize} is no size of a sector`
  if (size === 0n) return 'the disk in the image has a size of 0'
  if (size % BigInt(sectorSize) !== 0n)
    return `a disk of ${size} bytes is not made of whole sectors`
  if (blockSize < mebibyte || blockSize > largestBlock || (blockSize & (blockSize - 1)) !== 0) {
    return `the blocks have ${blockSize} bytes, which is no power of 2 from 1 to 256 MiB`
  }
  return tableProblem(disk, windows)
}

/** After so many blocks that a chunk of 2^23 sectors holds comes an entry for a bitmap (section 2.5). */
function tableProblem({ size, blockSize, sectorSize }: Disk, windows: Windows): string | null {
  const table = readRegions(windows)?.find(({ id }) => id === regionIds.blocks)
  const perChunk = (2n ** 23n * BigInt(sectorSize)) / BigInt(blockSize)
  const blocks = (size + BigInt(blockSize) - 1n) / BigInt(blockSize)
  const needed = (blocks + (blocks - 1n) / perChunk) * 8n
  if (table && BigInt(table.length) >= needed) return null
  return `the block table is too short for a disk of ${size} bytes`
}

const checks: readonly [Check, ...Check[]] = [
  { name: 'log', code: 'INVALID_HEADER', problem: logProblem },
  { name: 'regions', code: 'INVALID_HEADER', problem: regionsProblem },
  { name: 'unknown', code: 'UNSUPPORTED_FORMAT', problem: unknownProblem },
  {
    name: 'difference',
    code: 'EXTERNAL_REFERENCE',
    problem: (windows) =>
      readDisk(windows)?.hasParent
        ? `the image is only the difference to another image; ${flatten}`
        : null,
  },
  {
    name: 'virtual size',
    code: 'VIRTUAL_SIZE_LIMIT',
    problem(windows, limits) {
      const size = readDisk(windows)?.size ?? 0n
      if (size > largestDisk)
        return `the disk claims ${size} bytes; a VHDX has at most ${largestDisk}`
      return claimsTooMuch(size, limits)
    },
  },
  { name: 'disk', code: 'INVALID_HEADER', problem: diskProblem },
]

const largeSectors =
  'the disk has sectors of 4096 bytes, which QEMU does not open; convert it where it was made, or start it with Hyper-V'

function describe(windows: Windows): Described {
  const disk = readDisk(windows)
  return {
    format: 'vhdx',
    unpackedBytes: Number(disk?.size ?? 0n),
    bootable: 'unknown',
    architecture: null,
    details: {
      blockSize: disk?.blockSize ?? 0,
      sectorSize: disk?.sectorSize ?? 0,
      ...(disk?.sectorSize === 4096 ? { warnings: [largeSectors] } : {}),
    },
  }
}

/** The metadata lie behind the head, as a rule at 2 MiB; everything that is asked of them lies in their first 128 KiB. */
function ahead(windows: Windows): readonly Place[] {
  const at = metadataAt(windows)
  return at === null ? [] : [{ from: 'start', offset: at, length: aheadLength }]
}

export const vhdx: Inspector = {
  format: 'vhdx',
  title: 'VHDX',
  regions: [{ from: 'start', offset: 0, length: 8 }],
  matches: (windows) => windows.has(0, cookie),
  checks,
  ahead,
  describe,
  survey: (file, signal) =>
    surveyVhdx(file, { ahead, readDisk, blocksId: regionIds.blocks }, signal),
}
