import { damaged } from './pieces.ts'
import {
  compressedOffset,
  hostOffset,
  isCompressed,
  lastSector,
  readsAsZeros,
  sector,
} from './qcow2-entry.ts'
import { subclusters, type Geometry } from './qcow2-geometry.ts'
import { TableCache } from './qcow2-table-cache.ts'
import type { Packed } from './qcow2-unpacked.ts'
import type { WholeFile } from './survey.ts'

/** A part of the guest's disk, in bytes, and where it stands. `host` is in the file, `skip` in the decompressed cluster. */
export type Extent = { readonly start: number; readonly length: number } & (
  | { readonly kind: 'zeros' }
  | { readonly kind: 'data'; readonly host: number }
  | { readonly kind: 'packed'; readonly packed: Packed; readonly skip: number }
)

const broken = 'the file is damaged'

/** Tells where the guest's bytes are. */
export class ClusterMap {
  readonly #geometry: Geometry
  readonly #tables: TableCache
  /** With extended L2 a cluster is mapped in 32 parts. */
  readonly #part: number

  constructor(file: WholeFile, geometry: Geometry) {
    this.#geometry = geometry
    this.#tables = new TableCache(file)
    this.#part = geometry.extended ? geometry.cluster / subclusters : geometry.cluster
  }

  /** What `start` up to `end` consists of, in order and without gaps; neighbours in the file are one. */
  async *extents(start: number, end: number, signal: AbortSignal): AsyncGenerator<Extent> {
    let before: Extent | null = null
    for (let at = start; at < end;) {
      const next = await this.#extent(at, end, signal)
      const joined: Extent | null = before && join(before, next)
      if (before && !joined) yield before
      before = joined ?? next
      at += next.length
    }
    if (before) yield before
  }

  async #extent(start: number, end: number, signal: AbortSignal): Promise<Extent> {
    const { cluster, covered, entry, l1 } = this.#geometry
    const zeros = (span: number): Extent => ({ kind: 'zeros', ...within(start, end, span) })
    const top = await this.#tables.words(l1.offset + Math.floor(start / covered) * 8, 8, signal)
    const l2 = hostOffset(top.getUint32(0), top.getUint32(4))
    if (l2 === 0) return zeros(covered)
    if (l2 % cluster !== 0)
      throw damaged(`the L2 table for byte ${start} is not aligned; ${broken}`)
    const index = Math.floor((start % covered) / cluster)
    return this.#mapped(await this.#tables.words(l2 + index * entry, entry, signal), start, end)
  }

  #mapped(words: DataView, start: number, end: number): Extent {
    const { cluster } = this.#geometry
    const high = words.getUint32(0)
    const low = words.getUint32(4)
    if (isCompressed(high)) {
      const packed = this.#packed(high, low, start)
      return { kind: 'packed', packed, skip: start % cluster, ...within(start, end, cluster) }
    }
    const place = within(start, end, this.#part)
    const host = hostOffset(high, low)
    if (host % cluster !== 0)
      throw damaged(`the cluster for byte ${start} is not aligned; ${broken}`)
    if (!this.#holdsData(words, host, start)) return { kind: 'zeros', ...place }
    return { kind: 'data', host: host + (start % cluster), ...place }
  }

  #holdsData(words: DataView, host: number, start: number): boolean {
    const { extended, version, cluster } = this.#geometry
    if (extended) {
      const zeros = words.getUint32(8)
      const data = words.getUint32(12)
      const isSound = (zeros & data) === 0 && (host !== 0 || data === 0)
      if (!isSound)
        throw damaged(`the subclusters for byte ${start} contradict each other; ${broken}`)
      return ((data >>> Math.floor((start % cluster) / this.#part)) & 1) === 1
    }
    const zeros = readsAsZeros(words.getUint32(4))
    if (zeros && version === 2)
      throw damaged(`version 2 has no zero flag, as at byte ${start}; ${broken}`)
    return host !== 0 && !zeros
  }

  #packed(high: number, low: number, start: number): Packed {
    const { clusterBits, cluster } = this.#geometry
    const offset = compressedOffset(high, low, clusterBits)
    const length = lastSector(high, low, clusterBits) + sector - offset
    return { guest: start - (start % cluster), offset, length }
  }
}

/** From `start` to the end of what is asked for, or of the part of `span` bytes it lies in. */
function within(start: number, end: number, span: number) {
  return { start, length: Math.min(end - start, span - (start % span)) }
}

/** Both as one, when the second follows in the file, too. */
function join(a: Extent, b: Extent): Extent | null {
  const length = a.length + b.length
  if (a.kind === 'zeros' && b.kind === 'zeros') return { ...a, length }
  if (a.kind !== 'data' || b.kind !== 'data' || a.host + a.length !== b.host) return null
  return { ...a, length }
}
