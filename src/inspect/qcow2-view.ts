import { type Geometry } from './qcow2-geometry.ts'

/**
 * What an L1 table describes: the guest's disk and, behind the last L2 table that the disk needs, the state of a running
 * machine (a snapshot's table only; qcow2.txt, "Snapshots", bytes 32 to 35). Beyond these an entry means nothing.
 */
export type View = {
  readonly name: string
  /** Bytes of the disk. */
  readonly size: number
  /** Where the machine's state begins and ends, counted as bytes of the disk are. */
  readonly stateStart: number
  readonly stateEnd: number
}

export function viewOf(name: string, { covered }: Geometry, size: number, state: number): View {
  const stateStart = Math.ceil(size / covered) * covered
  return { name, size, stateStart, stateEnd: stateStart + state }
}

/** How many bytes from `guest` on, of a cluster, mean something. */
export function usedBytes(view: View, guest: number, cluster: number): number {
  const end = guest < view.stateStart ? view.size : view.stateEnd
  return Math.max(0, Math.min(cluster, end - guest))
}
