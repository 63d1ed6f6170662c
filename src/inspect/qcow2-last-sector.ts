import { cutShort, damaged, pieces, type Stretch } from './pieces.ts'
import { sector } from './qcow2-entry.ts'
import type { Geometry } from './qcow2-geometry.ts'
import { inflate } from './qcow2-inflate.ts'
import type { WholeFile } from './survey.ts'

/** Sound clusters do not overlap: one may reach into the last sector, each other takes one of its 511 bytes or more. */
const most = sector

/**
 * Compressed clusters whose last sector is the file's last, which is not a whole one. QEMU pads it, others do not, and
 * only decompressing tells whether what is missing is padding.
 */
export class LastSector {
  readonly #names = new Map<number, string>()

  add(offset: number, name: string): void {
    this.#names.set(offset, name)
    if (this.#names.size > most) {
      throw damaged(
        'more compressed clusters than bytes lie in its last sector; the file is damaged',
      )
    }
  }

  /** @throws Flaw INVALID_HEADER when a cluster is not whole */
  async check(file: WholeFile, geometry: Geometry, signal: AbortSignal): Promise<void> {
    const { cluster, compression } = geometry
    for (const [offset, name] of this.#names) {
      const length = Math.min(cluster + sector, file.size - offset)
      const bytes = await gather(file, { name, offset, length }, signal)
      const found = await inflate(bytes, compression, cluster)
      if (found === null) throw cutShort(`compressed ${name}`, file.size + 1, file)
    }
  }
}

async function gather(file: WholeFile, stretch: Stretch, signal: AbortSignal): Promise<Buffer> {
  const whole = Buffer.alloc(stretch.length)
  for await (const { at, bytes } of pieces(file, stretch, signal)) {
    whole.set(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), at)
  }
  return whole
}
