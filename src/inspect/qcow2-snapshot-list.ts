import { damaged, type Stretch } from './pieces.ts'
import { Cursor } from './qcow2-cursor.ts'
import type { Geometry } from './qcow2-geometry.ts'
import type { Header } from './qcow2-header.ts'
import type { L1 } from './qcow2-l1.ts'
import { judgePlace } from './qcow2-placement.ts'
import type { WholeFile } from './survey.ts'
import { viewOf } from './qcow2-view.ts'

/** What QEMU accepts (block/qcow2.h). */
const mostTable = 67_108_864
const mostExtra = 1024
const mostL1 = 33_554_432
const fixedLength = 40
/** The extra data that are known: the length of the machine's state, and of the disk. */
const knownExtra = 16

/*
 * Snapshot table entry, big-endian, padded to 8 bytes
 *
 *   0  8  L1 table offset               32  4  bytes of the machine's state
 *   8  4  L1 table, entries             36  4  length of extra data
 *  12  2  length of id                  40  8  bytes of the machine's state    from here extra data
 *  14  2  length of name                48  8  bytes of the disk
 *                                        n     id, name
 *
 * Every snapshot has an L1 table of its own, so that all together are not longer than the file.
 */
export async function* snapshotsOf(
  file: WholeFile,
  header: Header,
  geometry: Geometry,
  signal: AbortSignal,
): AsyncGenerator<L1> {
  const cursor = new Cursor(file, 'snapshot table')
  const start = Number(header.snapshotsOffset)
  let offset = start
  let room = file.size
  for (let index = 1; index <= header.snapshots; index += 1) {
    const entry = await readEntry(cursor, offset, signal)
    const l1 = l1Of(entry, `snapshot ${index}`, geometry)
    room -= l1.table.length
    if (room < 0)
      throw damaged('the L1 tables of the snapshots are longer than the file; it is damaged')
    judgePlace(file, geometry, l1.table)
    yield l1
    offset += lengthOf(entry)
    if (offset - start > mostTable)
      throw damaged(`the snapshot table is longer than ${mostTable} bytes`)
  }
}

async function readEntry(cursor: Cursor, offset: number, signal: AbortSignal): Promise<DataView> {
  const extra = (await cursor.read(offset, fixedLength, signal)).getUint32(36)
  if (extra > mostExtra)
    throw damaged(`${extra} bytes of extra data of a snapshot are more than ${mostExtra}`)
  return await cursor.read(offset, fixedLength + Math.min(extra, knownExtra), signal)
}

function lengthOf(entry: DataView): number {
  const names = entry.getUint16(12) + entry.getUint16(14)
  return Math.ceil((fixedLength + entry.getUint32(36) + names) / 8) * 8
}

function l1Of(entry: DataView, name: string, geometry: Geometry): L1 {
  const length = entry.getUint32(8) * 8
  if (length > mostL1)
    throw damaged(`the L1 table of ${name} has ${length} bytes; at most ${mostL1} are possible`)
  const table: Stretch = {
    name: `L1 table of ${name}`,
    offset: Number(entry.getBigUint64(0)),
    length,
  }
  // Version 2 may leave out the extra data; the disk is then as long as the active one.
  const known = entry.byteLength - fixedLength
  const state = known >= 8 ? Number(entry.getBigUint64(40)) : entry.getUint32(32)
  const size = known >= knownExtra ? Number(entry.getBigUint64(48)) : geometry.size
  return { table, view: viewOf(name, geometry, size, state) }
}
