import { clusterSize, has, incompatible, virtualSize, type Header } from './qcow2-header.ts'
import type { Stretch } from './pieces.ts'

/** What the header says about the shape of the tables, in numbers: only for a header that all checks accepted. */
export type Geometry = {
  readonly version: number
  readonly clusterBits: number
  /** Bytes of a cluster, which is also what an L2 table takes. */
  readonly cluster: number
  readonly extended: boolean
  /** Bytes of an L2 entry: 8, or 16 with extended L2. */
  readonly entry: number
  /** Bytes of the guest's disk that one L2 table stands for. */
  readonly covered: number
  /** Bytes of the guest's disk. */
  readonly size: number
  readonly l1: Stretch
  readonly compression: Compression
}

export type Compression = 'zlib' | 'zstd'

/** An extended L2 entry tells of so many parts of its cluster. */
export const subclusters = 32

export function geometryOf(header: Header): Geometry {
  const cluster = clusterSize(header)
  const extended = has(header.features.incompatible, incompatible.extendedL2)
  const entry = extended ? 16 : 8
  return {
    version: header.version,
    clusterBits: header.clusterBits,
    cluster,
    extended,
    entry,
    covered: (cluster / entry) * cluster,
    size: Number(virtualSize(header)),
    l1: { name: 'L1 table', offset: Number(header.l1Offset), length: header.l1Entries * 8 },
    compression: header.features.compression === 0 ? 'zlib' : 'zstd',
  }
}
