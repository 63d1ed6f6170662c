import { readHead } from './pieces.ts'
import { judgeBitmaps } from './qcow2-bitmaps.ts'
import { geometryOf } from './qcow2-geometry.ts'
import { fixedLength, readHeader } from './qcow2-header.ts'
import { L1Walk, type L1 } from './qcow2-l1.ts'
import { L2Judge } from './qcow2-l2.ts'
import { LastSector } from './qcow2-last-sector.ts'
import { judgeRefcounts } from './qcow2-refcounts.ts'
import { snapshotsOf } from './qcow2-snapshot-list.ts'
import { viewOf } from './qcow2-view.ts'
import type { Survey, WholeFile } from './survey.ts'

/**
 * Follows every table of a qcow2 file that `Inspection` has accepted. It reads each table once, an L1 table of a snapshot
 * up to three times, and never a cluster of the guest's data, but compressed ones at the very end of the file.
 * @throws Flaw INVALID_HEADER
 */
export async function surveyQcow2(file: WholeFile, signal: AbortSignal): Promise<Survey> {
  const { clusterBits } = readHeader(await readHead(file, fixedLength, signal))
  // Extensions follow the header, up to the end of its cluster.
  const windows = await readHead(file, Math.max(fixedLength, 2 ** clusterBits), signal)
  const header = readHeader(windows)
  const geometry = geometryOf(header)
  const last = new LastSector()
  const walk = new L1Walk(file, geometry, new L2Judge(file, geometry, last))
  const active: L1 = { table: geometry.l1, view: viewOf('disk', geometry, geometry.size, 0) }
  await judgeRefcounts(file, header, signal)
  const allocatedBytes = await walk.active(active, signal)
  let before = active
  for await (const snapshot of snapshotsOf(file, header, geometry, signal)) {
    await walk.snapshot(snapshot, [active, before], signal)
    before = snapshot
  }
  await judgeBitmaps(file, windows, header, geometry, signal)
  await last.check(file, geometry, signal)
  return { allocatedBytes }
}
