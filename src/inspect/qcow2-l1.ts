import { cutShort, damaged, pieces, readAll, type Stretch } from './pieces.ts'
import { hostOffset, reservedInL1 } from './qcow2-entry.ts'
import type { Geometry } from './qcow2-geometry.ts'
import type { L2Judge } from './qcow2-l2.ts'
import type { View } from './qcow2-view.ts'
import type { WholeFile } from './survey.ts'

export type L1 = { readonly table: Stretch; readonly view: View }

/**
 * Follows L1 tables to the clusters of the guest's disk. Each L2 table takes a cluster of the file for itself, so there
 * are no more of them than the file has clusters, and all walks together read no more L2 tables than that: an L1 table
 * whose entries all name one L2 table makes no work.
 */
export class L1Walk {
  readonly #file: WholeFile
  readonly #geometry: Geometry
  readonly #judge: L2Judge
  #left: number

  constructor(file: WholeFile, geometry: Geometry, judge: L2Judge) {
    this.#file = file
    this.#geometry = geometry
    this.#judge = judge
    this.#left = Math.ceil(file.size / geometry.cluster)
  }

  /**
   * The L1 table of the disk itself.
   * @returns bytes of it for which the file holds data
   * @throws Flaw INVALID_HEADER
   */
  async active({ table, view }: L1, signal: AbortSignal): Promise<number> {
    let allocated = 0
    for await (const { at, bytes } of pieces(this.#file, table, signal)) {
      for (let entry = 0; entry < bytes.byteLength; entry += 8) {
        const start = ((at + entry) / 8) * this.#geometry.covered
        const host = this.#place(bytes, entry, view, start)
        if (host === 0) continue
        if (this.#left === 0) throw tooMany(view)
        allocated += await this.#table(host, view, start, signal)
      }
    }
    return allocated
  }

  /**
   * The L1 table of a snapshot. An L2 table that one of `seen` names in the same place was judged with it. When the walks
   * have used up their measure, which sound files do not do, L2 tables are only looked at for their place.
   * @throws Flaw INVALID_HEADER
   */
  async snapshot({ table, view }: L1, seen: readonly L1[], signal: AbortSignal): Promise<void> {
    for await (const { at, bytes } of pieces(this.#file, table, signal)) {
      const others = await this.#sameStretch(seen, at, bytes.byteLength, signal)
      for (let entry = 0; entry < bytes.byteLength; entry += 8) {
        const start = ((at + entry) / 8) * this.#geometry.covered
        const host = this.#place(bytes, entry, view, start)
        const isJudged = others.some((other) => other.names(host, entry, start, view))
        if (host === 0 || isJudged || this.#left === 0) continue
        await this.#table(host, view, start, signal)
      }
    }
  }

  async #table(host: number, view: View, start: number, signal: AbortSignal): Promise<number> {
    this.#left -= 1
    const { cluster, entry } = this.#geometry
    const table = { name: 'L2 table', offset: host, length: cluster }
    let allocated = 0
    for await (const { at, bytes } of pieces(this.#file, table, signal)) {
      allocated += this.#judge.judge(bytes, view, start + (at / entry) * cluster)
    }
    return allocated
  }

  #place(bytes: DataView, at: number, view: View, start: number): number {
    const high = bytes.getUint32(at)
    const low = bytes.getUint32(at + 4)
    if ((high | low) === 0) return 0
    const host = hostOffset(high, low)
    const name = `L2 table for byte ${start} of the ${view.name}`
    if (reservedInL1(high, low) !== 0 || host % this.#geometry.cluster !== 0) {
      throw damaged(`the ${name} does not begin at a cluster of the file; the file is damaged`)
    }
    const end = host + this.#geometry.cluster
    if (end > this.#file.size) throw cutShort(name, end, this.#file)
    return host
  }

  #sameStretch(seen: readonly L1[], at: number, length: number, signal: AbortSignal) {
    const { covered } = this.#geometry
    return Promise.all(
      seen.map(async ({ table, view }) => {
        const shared = Math.max(0, Math.min(length, table.length - at))
        const stretch = { ...table, offset: table.offset + at, length: shared }
        return new Seen(await readAll(this.#file, stretch, signal), view, covered)
      }),
    )
  }
}

/** A piece of an L1 table that was walked before. */
class Seen {
  readonly #bytes: DataView
  readonly #view: View
  readonly #covered: number

  constructor(bytes: DataView, view: View, covered: number) {
    this.#bytes = bytes
    this.#view = view
    this.#covered = covered
  }

  /** Whether the L2 table was judged from here, in the same place and for the same part of a disk. */
  names(host: number, at: number, start: number, view: View): boolean {
    if (at + 8 > this.#bytes.byteLength) return false
    if (hostOffset(this.#bytes.getUint32(at), this.#bytes.getUint32(at + 4)) !== host) return false
    if (view.size === this.#view.size) return start < view.stateStart
    return start + this.#covered <= Math.min(view.size, this.#view.size)
  }
}

function tooMany(view: View) {
  return damaged(
    `the L1 table of the ${view.name} names more L2 tables than the file has clusters; the file is damaged`,
  )
}
