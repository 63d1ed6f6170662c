import type { Detail, Facts } from '../image/format.ts'
import { bootArchitecture } from './boot-file.ts'
import { filesystemAt } from './filesystem.ts'
import type { Check, Described, Inspector } from './inspector.ts'
import { lengthLimit } from './length-limit.ts'
import { hasBootCode } from './mbr.ts'
import { archiveProblem, executableProblem, otherProblem } from './not-an-image.ts'
import { readPartitions, sizeWarning, type Partition, type Partitions } from './partitions.ts'
import { headLength, type Windows } from './windows.ts'

/** More partitions than this are not listed one by one. */
const mostListed = 32

/** A partition table or a filesystem: then nothing else that the file resembles counts. */
function hasContent(windows: Windows): boolean {
  return readPartitions(windows) !== null || filesystemAt(windows, 0) !== null
}

/** Whether the start of the file says that it is a disk. */
function isDisk(windows: Windows): boolean {
  return hasContent(windows) || hasBootCode(windows)
}

const unlessDisk =
  (problem: (windows: Windows) => string | null): Check['problem'] =>
  (windows) =>
    isDisk(windows) ? null : problem(windows)

const checks: readonly [Check, ...Check[]] = [
  {
    name: 'executable',
    code: 'NOT_AN_IMAGE',
    problem: (windows) => (hasContent(windows) ? null : executableProblem(windows)),
  },
  { name: 'archive', code: 'UNSAFE_ARCHIVE', problem: unlessDisk(archiveProblem) },
  { name: 'something else', code: 'NOT_AN_IMAGE', problem: unlessDisk(otherProblem) },
  { name: 'size', code: 'VIRTUAL_SIZE_LIMIT', problem: lengthLimit },
]

/** BIOS code starts from a table without a mark, and from a filesystem without a table; nothing here can tell that it does. */
function bootable(windows: Windows, partitions: Partitions | null): Facts['bootable'] {
  if (partitions?.all.some(({ boots }) => boots)) return 'yes'
  return !isDisk(windows) || hasBootCode(windows) ? 'unknown' : 'no'
}

function architecture(windows: Windows, partitions: Partitions | null): Facts['architecture'] {
  const told = new Set((partitions?.all ?? []).flatMap(({ architecture }) => architecture ?? []))
  const [only] = told
  if (told.size === 1 && only !== undefined) return only
  return partitions ? bootArchitecture(windows) : null
}

function partitionDetail(windows: Windows, partition: Partition): Detail {
  const filesystem = filesystemAt(windows, partition.offset)
  const { type, size } = partition
  return { type, size, ...(filesystem ? { filesystem } : {}) }
}

function details(windows: Windows, partitions: Partitions | null): Facts['details'] {
  if (!partitions) {
    const filesystem = filesystemAt(windows, 0)
    return filesystem ? { filesystem } : {}
  }
  const listed = partitions.all.slice(0, mostListed)
  return {
    partitionTable: partitions.table,
    partitions: listed.map((partition) => partitionDetail(windows, partition)),
    ...sizeWarning(windows),
  }
}

function describe(windows: Windows, size: number): Described {
  const partitions = readPartitions(windows)
  return {
    format: 'raw',
    unpackedBytes: size,
    bootable: bootable(windows, partitions),
    architecture: architecture(windows, partitions),
    details: details(windows, partitions),
  }
}

/** What nothing else matched. */
export const raw: Inspector = {
  format: 'raw',
  title: 'raw',
  regions: [{ from: 'start', offset: 0, length: headLength }],
  matches: () => true,
  checks,
  describe,
}
