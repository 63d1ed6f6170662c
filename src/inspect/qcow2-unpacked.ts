import { Flaw } from '../errors.ts'
import type { Geometry } from './qcow2-geometry.ts'
import { inflate } from './qcow2-inflate.ts'
import type { WholeFile } from './survey.ts'

/**
 * A compressed cluster: for which byte of the disk, and where it stands. The last one of a file may end before `length`,
 * which is made of whole sectors.
 */
export type Packed = { readonly guest: number; readonly offset: number; readonly length: number }

/** Decompresses clusters and keeps the last one, since small reads follow each other. */
export class Unpacked {
  readonly #file: WholeFile
  readonly #geometry: Geometry
  #last: { readonly offset: number; readonly bytes: Buffer } | null = null

  constructor(file: WholeFile, geometry: Geometry) {
    this.#file = file
    this.#geometry = geometry
  }

  /**
   * All bytes of the cluster, not to be written to.
   * @throws Flaw CORRUPT_ARCHIVE when they are not what was compressed
   */
  async cluster({ guest, offset, length }: Packed, signal: AbortSignal): Promise<Buffer> {
    if (this.#last?.offset === offset) return this.#last.bytes
    const packed = await this.#file.read(offset, length, signal)
    const bytes = await inflate(packed, this.#geometry.compression, this.#geometry.cluster)
    if (bytes === null) throw corrupt(guest, offset)
    this.#last = { offset, bytes }
    return bytes
  }
}

function corrupt(guest: number, offset: number): Flaw {
  return new Flaw(
    'CORRUPT_ARCHIVE',
    `the compressed cluster for byte ${guest} of the disk, at byte ${offset} of the file, is damaged`,
  )
}
