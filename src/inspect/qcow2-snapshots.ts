import type { Region } from './inspector.ts'
import { clusterSize, type Header } from './qcow2-header.ts'
import { misplaced, offsetLimit } from './qcow2-tables.ts'
import { aheadLength, headLength, type Windows } from './windows.ts'

/** What qemu accepts (block/qcow2.h); the whole table in bytes. */
const mostSnapshots = 65_536
const mostTable = 67_108_864
const mostExtra = 1024
const mostL1 = 33_554_432

/** The fixed part of an entry. */
const entryLength = 40

/** Where the table lies when the header names one behind the head: as much of it as one window keeps. */
export function snapshotsAhead(header: Header): readonly Region[] {
  const offset = header.snapshotsOffset
  if (header.snapshots === 0 || offset > BigInt(Number.MAX_SAFE_INTEGER)) return []
  if (offset < headLength - aheadLength) return []
  const length = Math.min(aheadLength, header.snapshots * (entryLength + mostExtra))
  return [{ from: 'start', offset: Number(offset), length }]
}

export function snapshotsProblem(windows: Windows, header: Header): string | null {
  // QEMU opens no image whose offset is odd, even when no table is there.
  if (header.snapshots === 0) return misaligned(header)
  if (header.snapshots > mostSnapshots) return `${header.snapshots} snapshots are too many`
  const length = header.snapshots * entryLength
  const table = { name: 'snapshot table', offset: header.snapshotsOffset, length }
  return misplaced(windows, header, table) ?? entriesProblem(windows, header)
}

function misaligned(header: Header): string | null {
  const { snapshotsOffset } = header
  if (snapshotsOffset % BigInt(clusterSize(header)) === 0n && snapshotsOffset < offsetLimit)
    return null
  return 'the offset of the snapshot table is not that of a cluster'
}

/** Judges the entries that stand in a window; their number is bounded, and so is their length. */
function entriesProblem(windows: Windows, header: Header): string | null {
  const start = Number(header.snapshotsOffset)
  let offset = start
  for (let index = 0; index < header.snapshots; index += 1) {
    if (!windows.holds(offset, entryLength)) return beyondEnd(windows, offset + entryLength)
    const problem = entryProblem(windows, header, offset)
    if (problem) return `snapshot ${index + 1}: ${problem}`
    offset += lengthOf(windows, offset)
    if (offset - start > mostTable) return `the snapshot table is longer than ${mostTable} bytes`
  }
  return beyondEnd(windows, offset)
}

/*
 * Snapshot table entry, padded to 8 bytes
 *
 *   0  8  L1 table offset               16 20  dates, sizes
 *   8  4  L1 table, entries             36  4  length of extra data
 *  12  2  length of id                  40  n  extra data, id, name
 *  14  2  length of name
 */
function entryProblem(windows: Windows, header: Header, offset: number): string | null {
  const extra = windows.u32be(offset + 36)
  if (extra > mostExtra) return `${extra} bytes of extra data are more than ${mostExtra}`
  const length = windows.u32be(offset + 8) * 8
  if (length > mostL1) return `an L1 table of ${length} bytes is longer than ${mostL1}`
  if (length === 0) return null
  return misplaced(windows, header, { name: 'L1 table', offset: windows.u64be(offset), length })
}

function lengthOf(windows: Windows, offset: number): number {
  const names = windows.u16be(offset + 12) + windows.u16be(offset + 14)
  return Math.ceil((entryLength + windows.u32be(offset + 36) + names) / 8) * 8
}

function beyondEnd(windows: Windows, end: number): string | null {
  if (windows.size === null || end - 7 <= windows.size) return null
  return `the snapshot table would end behind the file's ${windows.size} bytes; it was cut short`
}
