import { cutShort, damaged } from './pieces.ts'
import {
  compressedOffset,
  hostOffset,
  isCompressed,
  lastSector,
  offsetBits,
  readsAsZeros,
  reservedInL2,
  sector,
  special,
  wordSize,
} from './qcow2-entry.ts'
import { subclusters, type Geometry } from './qcow2-geometry.ts'
import type { LastSector } from './qcow2-last-sector.ts'
import { dataWithin, holdsAll } from './qcow2-subclusters.ts'
import { usedBytes, type View } from './qcow2-view.ts'

/**
 * Judges the entries of L2 tables. What QEMU refuses to read is refused (block/qcow2.h, qcow2_get_subcluster_type), and
 * so are reserved bits, which `qemu-img check` reports. All that the guest can read has to lie in the file.
 *
 * `qemu-img check` lets the last cluster reach out of the file by less than a cluster. So that a cut file is found, less
 * is allowed here: what the guest reads has to be there. Every image made by qemu-img and qemu-io satisfies that (tried
 * with all preallocations, cluster sizes, odd disk sizes, snapshots, resizes): what may be missing is what lies behind
 * the disk's end, or behind the last allocated subcluster.
 */
export class L2Judge {
  readonly #file: { readonly size: number }
  readonly #geometry: Geometry
  readonly #last: LastSector

  constructor(file: { readonly size: number }, geometry: Geometry, last: LastSector) {
    this.#file = file
    this.#geometry = geometry
    this.#last = last
  }

  /**
   * @param table an L2 table, or a piece of one
   * @param start the first byte of the guest's disk that it stands for
   * @returns bytes of what `view` describes for which there is data
   * @throws Flaw INVALID_HEADER
   */
  judge(table: DataView, view: View, start: number): number {
    const { cluster, entry, extended } = this.#geometry
    const lastHost = this.#file.size - cluster
    const lastGuest = view.size - cluster
    let allocated = 0
    for (let at = 0, guest = start; at < table.byteLength; at += entry, guest += cluster) {
      const high = table.getUint32(at)
      const low = table.getUint32(at + 4)
      const isWhole = guest <= lastGuest && isUsual(high, low, cluster, lastHost)
      if (isWhole && (!extended || holdsAll(table, at))) allocated += cluster
      else if (extended) allocated += this.#extended(table, at, view, guest)
      else if ((high | low) !== 0) allocated += this.#entry(high, low, view, guest)
    }
    return allocated
  }

  #entry(high: number, low: number, view: View, guest: number): number {
    const { cluster, version } = this.#geometry
    const used = usedBytes(view, guest, cluster)
    if (isCompressed(high)) return this.#compressed(high, low, view, guest, used)
    const zeros = readsAsZeros(low)
    if (zeros && version === 2) {
      throw damaged(
        `the ${label(view, guest)} has a zero flag, which version 2 does not know; ${broken}`,
      )
    }
    const host = this.#host(high, low, view, guest)
    if (host === 0) return 0
    this.#place(host, zeros ? 0 : used, view, guest)
    return zeros ? 0 : used
  }

  #extended(table: DataView, at: number, view: View, guest: number): number {
    const high = table.getUint32(at)
    const low = table.getUint32(at + 4)
    if (isCompressed(high)) {
      // QEMU ignores the bitmap of a compressed cluster.
      const used = usedBytes(view, guest, this.#geometry.cluster)
      return this.#compressed(high, low, view, guest, used)
    }
    const zeros = table.getUint32(at + 8)
    const data = table.getUint32(at + 12)
    if ((high | low | zeros | data) === 0) return 0
    return this.#subclusters(this.#host(high, low, view, guest), zeros, data, view, guest)
  }

  #subclusters(host: number, zeros: number, data: number, view: View, guest: number): number {
    const { cluster } = this.#geometry
    if ((zeros & data) !== 0 || (host === 0 && data !== 0)) {
      throw damaged(`the subclusters of the ${label(view, guest)} contradict each other; ${broken}`)
    }
    if (host === 0) return 0
    const length = cluster / subclusters
    const used = usedBytes(view, guest, cluster)
    const dataEnd = (subclusters - Math.clz32(data)) * length
    this.#place(host, Math.min(dataEnd, used), view, guest)
    return dataWithin(data, length, used)
  }

  #host(high: number, low: number, view: View, guest: number): number {
    const reserved = reservedInL2(high, low) | (this.#geometry.extended ? low & 1 : 0)
    if (reserved !== 0)
      throw damaged(`the entry of the ${label(view, guest)} has bits that mean nothing; ${broken}`)
    return hostOffset(high, low)
  }

  #place(host: number, used: number, view: View, guest: number): void {
    if (host % this.#geometry.cluster !== 0) {
      throw damaged(`the ${label(view, guest)} does not begin at a cluster of the file; ${broken}`)
    }
    // What holds nothing begins in the file nevertheless, as qemu-img check demands.
    const end = host + Math.max(1, used)
    if (end > this.#file.size) throw cutShort(label(view, guest), end, this.#file)
  }

  #compressed(high: number, low: number, view: View, guest: number, used: number): number {
    const { clusterBits } = this.#geometry
    const offset = compressedOffset(high, low, clusterBits)
    const last = lastSector(high, low, clusterBits)
    if (offset === 0)
      throw damaged(`the compressed ${label(view, guest)} would lie in the header; ${broken}`)
    if (Math.max(last, offset) >= this.#file.size) {
      throw cutShort(`compressed ${label(view, guest)}`, last + sector, this.#file)
    }
    if (last + sector > this.#file.size) this.#last.add(offset, label(view, guest))
    return used
  }
}

const broken = 'the file is damaged'

function label(view: View, guest: number): string {
  return `cluster for byte ${guest} of the ${view.name}`
}

/**
 * A standard cluster that is aligned and begins at `last` at most. An image has millions of these and few others, so they
 * are told apart with as little arithmetic as possible.
 */
function isUsual(high: number, low: number, cluster: number, last: number): boolean {
  const host = (high & offsetBits) * wordSize + low
  return ((high & special) | (low & (cluster - 1))) === 0 && host > 0 && host <= last
}
