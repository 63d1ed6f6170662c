import type { Readable } from 'node:stream'
import { Flaw } from '../../errors.ts'
import type { Part } from '../registry/registry.ts'
import { DiskFolder } from './disk-folder.ts'
import { openLayer, type Layer, type Unpacking } from './layer.ts'

export type { Layer } from './layer.ts'

export type FoundDisk = {
  /** Ends only when the whole layer was read and is what the manifest and the config say; else it fails with a Flaw. */
  readonly body: Readable
  /** Bytes. */
  readonly size: number
  /** In the layer, `disk/x.img`. */
  readonly name: string
  readonly layer: Part
  /** Where it begins in the layer's blob; null when that is compressed. */
  readonly at: number | null
}

/**
 * Streams the layers of a container image from the last to the first, up to the disk: the one regular file directly under
 * `disk/`. A layer without it is verified before the next is opened.
 * @param layers the lowest first
 * @throws Flaw INVALID_OCI (no disk, a layer that is not what it is said to be), UNSAFE_ARCHIVE, CORRUPT_ARCHIVE,
 * UNSUPPORTED_FORMAT, DECOMPRESSION_LIMIT; what opening and reading a blob fail with
 */
export async function findDisk(
  layers: readonly Layer[],
  options: Unpacking,
  signal: AbortSignal,
): Promise<FoundDisk> {
  const folder = new DiskFolder()
  for (const layer of layers.toReversed()) {
    const { tar, isPlain } = await openLayer(layer, folder, options, signal)
    const disk = await tar.disk
    if (disk) {
      const name = disk.name.replace(/^\.?\//, '')
      return { body: tar, size: disk.size, name, layer: layer.part, at: isPlain ? disk.at : null }
    }
    tar.destroy()
  }
  throw new Flaw('INVALID_OCI', `${folder.summary}; put the one disk there: COPY disk.img /disk/`)
}
