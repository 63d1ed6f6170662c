import type { Detail, Facts } from '../image/format.ts'
import { bootArchitecture } from './boot-file.ts'
import { bootEntries, catalogOffset, type BootEntry } from './el-torito.ts'
import type { Check, Inspector, Limits, Region } from './inspector.ts'
import {
  descriptorsLength,
  findDescriptor,
  firstDescriptor,
  hasJoliet,
  hasRockRidge,
  readVolume,
  sectorSize,
} from './iso-volume.ts'
import { partitionTable, sizeWarning } from './partitions.ts'
import { lengthLimit } from './length-limit.ts'
import { anchorAhead, findAnchor, hasUdf, isPureUdf, udfEnd, udfLabel } from './udf.ts'
import { aheadLength, type Windows } from './windows.ts'

function volumeProblem(windows: Windows): string | null {
  if (isPureUdf(windows)) return null
  const primary = findDescriptor(windows, 'primary')
  if (primary === null) return 'the ISO 9660 descriptors hold no primary volume'
  const volume = readVolume(windows, primary)
  if (!volume) return 'the little-endian and big-endian numbers of the ISO 9660 volume disagree'
  if (![512, 1024, 2048].includes(volume.blockSize)) {
    return `an ISO 9660 volume cannot have blocks of ${volume.blockSize} bytes`
  }
  if (volume.blocks === 0) return 'the ISO 9660 volume is empty'
  return (
    cutShort(windows, 'ISO 9660 volume', volume.blocks * volume.blockSize) ??
    cutShort(windows, 'root directory', volume.rootOffset + volume.rootLength)
  )
}

function catalogProblem(windows: Windows): string | null {
  const catalog = catalogOffset(windows)
  return catalog === null ? null : cutShort(windows, 'boot catalog', catalog + sectorSize)
}

/** Only a pure UDF volume must have its anchor here; beside ISO 9660 that volume's size is judged already. */
function udfProblem(windows: Windows): string | null {
  if (!hasUdf(windows)) return null
  const anchor = findAnchor(windows)
  if (anchor) return cutShort(windows, 'UDF volume', udfEnd(windows, anchor))
  // With an anchor at its end only, the end has to come first.
  if (!isPureUdf(windows) || !windows.ended) return null
  return 'the UDF volume has an anchor neither at block 256 nor at its end; it is damaged, was cut short, or has blocks of more than 4096 bytes'
}

function cutShort(windows: Windows, name: string, end: number): string | null {
  if (!windows.endsBefore(end)) return null
  return `the ${name} ends at byte ${end} but the file has ${windows.size} bytes; it was cut short`
}

const checks: readonly [Check, ...Check[]] = [
  { name: 'volume', code: 'INVALID_HEADER', problem: volumeProblem },
  { name: 'boot catalog', code: 'INVALID_HEADER', problem: catalogProblem },
  { name: 'UDF', code: 'INVALID_HEADER', problem: udfProblem },
  {
    name: 'size',
    code: 'VIRTUAL_SIZE_LIMIT',
    problem: (windows: Windows, limits: Limits) => lengthLimit(windows, limits),
  },
]

/** The catalog, the root directory and an EFI boot image may lie behind the head of a disc with many files. */
function ahead(windows: Windows): readonly Region[] {
  const catalog = catalogOffset(windows)
  const primary = findDescriptor(windows, 'primary')
  const root = primary === null ? null : readVolume(windows, primary)?.rootOffset
  const places = [catalog, root].filter((place) => typeof place === 'number')
  const anchor = isPureUdf(windows) ? anchorAhead(windows) : null
  const images = entriesOf(windows).filter(({ platform }) => platform === 'UEFI')
  return [
    ...(anchor ? [anchor] : []),
    ...places.map((offset) => ({ from: 'start', offset, length: sectorSize }) as const),
    ...images
      .slice(0, 1)
      .map(({ image }) => ({ from: 'start', offset: image, length: aheadLength }) as const),
  ]
}

function entriesOf(windows: Windows): readonly BootEntry[] {
  const catalog = catalogOffset(windows)
  return catalog === null ? [] : bootEntries(windows, catalog)
}

function bootable(windows: Windows): Facts['bootable'] {
  if (entriesOf(windows).length > 0) return 'yes'
  const catalog = catalogOffset(windows)
  const unread = catalog !== null && !windows.holds(catalog, sectorSize)
  // A disc without El Torito may still start from its partition table, or from UDF's own boot descriptors.
  return unread || partitionTable(windows) !== null || isPureUdf(windows) ? 'unknown' : 'no'
}

function details(windows: Windows): { readonly [name: string]: Detail } {
  const primary = findDescriptor(windows, 'primary')
  const volume = primary === null ? null : readVolume(windows, primary)
  const anchor = hasUdf(windows) ? findAnchor(windows) : null
  const udfName = anchor ? udfLabel(windows, anchor) : ''
  const hybrid = partitionTable(windows)
  return {
    volumeId: primary === null ? udfName : windows.label(primary + 40, 32),
    bootable: [...new Set(entriesOf(windows).map(({ platform }) => platform))],
    joliet: hasJoliet(windows),
    rockRidge: volume !== null && hasRockRidge(windows, volume),
    udf: hasUdf(windows),
    ...(hybrid ? { hybrid } : {}),
    ...(hybrid === 'gpt' ? sizeWarning(windows) : {}),
  }
}

export const iso: Inspector = {
  format: 'iso',
  title: 'ISO 9660',
  regions: [{ from: 'start', offset: firstDescriptor, length: descriptorsLength }],
  matches: (windows) => windows.has(firstDescriptor + 1, 'CD001') || isPureUdf(windows),
  checks,
  ahead,
  describe: (windows, size) => ({
    format: 'iso',
    unpackedBytes: size,
    bootable: bootable(windows),
    architecture: bootArchitecture(windows),
    details: details(windows),
  }),
}
