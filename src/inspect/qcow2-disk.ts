import { damaged, readHead } from './pieces.ts'
import { geometryOf, type Geometry } from './qcow2-geometry.ts'
import { fixedLength, readHeader } from './qcow2-header.ts'
import { ClusterMap, type Extent } from './qcow2-map.ts'
import { Unpacked } from './qcow2-unpacked.ts'
import type { WholeFile } from './survey.ts'

/**
 * The guest's disk inside a qcow2 file that `Inspection` has accepted, to be read at any place like a raw file: `size` is
 * the disk's size in bytes, of whole sectors of 512. Only the active disk is shown, no snapshot and no machine's state.
 *
 * Memory is bounded by constants: pieces of tables up to 2 MiB, one decompressed cluster (2 MiB at most) and what is asked
 * for. Reads may run side by side. (qemu docs/interop/qcow2.txt, "Cluster mapping")
 * @throws Flaw INVALID_HEADER when the file ends in its header
 */
export async function openQcow2(file: WholeFile, signal: AbortSignal): Promise<WholeFile> {
  return new Qcow2Disk(file, geometryOf(readHeader(await readHead(file, fixedLength, signal))))
}

class Qcow2Disk implements WholeFile {
  readonly size: number
  readonly #file: WholeFile
  readonly #map: ClusterMap
  readonly #unpacked: Unpacked

  constructor(file: WholeFile, geometry: Geometry) {
    this.size = geometry.size
    this.#file = file
    this.#map = new ClusterMap(file, geometry)
    this.#unpacked = new Unpacked(file, geometry)
  }

  /**
   * The bytes from `offset` on; fewer than `length` only where the disk ends before. What is not allocated reads as zeros.
   * The memory is the caller's.
   * @throws Flaw INVALID_HEADER when a table or a cluster leads out of the file or contradicts itself, CORRUPT_ARCHIVE when
   * a cluster does not decompress; what reading the file throws
   */
  async read(offset: number, length: number, signal: AbortSignal): Promise<Buffer> {
    const end = Math.min(offset + length, this.size)
    const bytes = Buffer.alloc(Math.max(0, end - offset))
    for await (const extent of this.#map.extents(offset, end, signal)) {
      const start = extent.start - offset
      await this.#fill(bytes.subarray(start, start + extent.length), extent, signal)
    }
    return bytes
  }

  async #fill(into: Buffer, extent: Extent, signal: AbortSignal): Promise<void> {
    const found = await this.#bytes(extent, signal)
    if (found === null) return
    if (found.length < into.length) throw endsBefore(extent)
    found.copy(into)
  }

  /** Null for zeros. */
  async #bytes(extent: Extent, signal: AbortSignal): Promise<Buffer | null> {
    if (extent.kind === 'zeros') return null
    if (extent.kind === 'data') return await this.#file.read(extent.host, extent.length, signal)
    const cluster = await this.#unpacked.cluster(extent.packed, signal)
    return cluster.subarray(extent.skip, extent.skip + extent.length)
  }
}

function endsBefore({ start }: Extent) {
  return damaged(`the file ends before the data for byte ${start} of the disk; it was cut short`)
}
