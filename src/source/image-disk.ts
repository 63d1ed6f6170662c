import type { Readable } from 'node:stream'
import { Flaw, Refusal } from '../errors.ts'
import type { Digest } from '../image/digest.ts'
import { formatSize } from '../image/size.ts'
import { peek } from '../unwrap/peek.ts'
import { unwrap } from '../unwrap/unwrap.ts'
import { findDisk, type Layer } from './layers/find-disk.ts'
import { isTar } from './layers/is-tar.ts'
import { verified } from './layers/verified.ts'
import type { DiskArtifact } from './registry/artifact.ts'
import type { Part, Registry } from './registry/registry.ts'
import type { ResolvedImage } from './registry/resolve-image.ts'
import type { ImageContents, Opened } from './source.ts'
import { uncounted, type Tally } from './tally.ts'

export type Known = {
  readonly artifact: DiskArtifact
  /** Of the uncompressed layers, as the configuration tells them; null, or empty, where none does. */
  readonly diffIds: readonly Digest[] | null
  /** Bytes of a layer that is read, as it is stored and unpacked. */
  readonly maxLayer: number
}

type Bytes = Omit<Opened, 'facts'>

/** The disk of one image, wherever it is in there. */
export class ImageDisk {
  readonly #registry: Registry
  readonly #image: ResolvedImage
  readonly #known: Known

  constructor(registry: Registry, image: ResolvedImage, known: Known) {
    this.#registry = registry
    this.#image = image
    this.#known = known
  }

  /** @throws Flaw INVALID_OCI, UNSAFE_ARCHIVE, CORRUPT_ARCHIVE; what the registry fails with */
  async open(signal: AbortSignal, tally: Tally = uncounted): Promise<Bytes> {
    const { artifact } = this.#known
    if (artifact.kind === 'layers') return await this.#fromLayers(this.#layers(), signal, tally)
    const { part, title } = artifact
    if (artifact.kind === 'by bytes' && (await this.#isTar(part, signal))) {
      return await this.#fromLayers([this.#layer(part, null)], signal, tally)
    }
    return await this.#whole(part, title, signal, tally)
  }

  async #fromLayers(layers: readonly Layer[], signal: AbortSignal, tally: Tally): Promise<Bytes> {
    const { maxLayer } = this.#known
    tally.expect(sizeOf(layers))
    const disk = await findDisk(layers, { tally, maxOutput: maxLayer }, signal)
    // What lies below is not fetched.
    tally.expect(sizeOf(layers.slice(layers.findIndex(({ part }) => part === disk.layer))))
    return this.#bytes(disk.body, disk.size, disk.name)
  }

  #layers(): readonly Layer[] {
    const { layers } = this.#image.document
    const { diffIds } = this.#known
    if (diffIds?.length && diffIds.length !== layers.length) {
      throw new Flaw(
        'INVALID_OCI',
        `the image has ${layers.length} layers and its configuration names ${diffIds.length}; build and push it again`,
      )
    }
    return layers.map((part, at) => this.#layer(part, diffIds?.[at] ?? null))
  }

  #layer(part: Part, diffId: Digest | null): Layer {
    return { part, diffId, open: (signal) => this.#open(part, signal) }
  }

  /** The blob is the disk, wrapped or not. */
  async #whole(
    part: Part,
    title: string | null,
    signal: AbortSignal,
    tally: Tally,
  ): Promise<Bytes> {
    tally.expect(part.size)
    const blob = await this.#open(part, signal)
    return this.#bytes(verified(blob, part, tally), part.size, title)
  }

  /** Clients label any file as a tar, so the bytes decide. */
  async #isTar(part: Part, signal: AbortSignal): Promise<boolean> {
    const blob = await this.#open(part, signal)
    const unwrapped = await unwrap(blob, { maxOutput: this.#known.maxLayer }, signal)
    try {
      return isTar((await peek(unwrapped.body)).head)
    } finally {
      unwrapped.body.destroy()
    }
  }

  async #open(part: Part, signal: AbortSignal): Promise<Readable> {
    const { maxLayer } = this.#known
    if (part.size <= maxLayer) return await this.#registry.blob(part, 0, signal)
    throw new Refusal(
      'TOO_LARGE',
      `the layer ${part.digest} has ${formatSize(part.size)}, at most ${formatSize(maxLayer)} are read (twice SLIPWAY_MAX_IMAGE_SIZE)`,
    )
  }

  #bytes(body: Opened['body'], size: number, file: string | null): Bytes {
    const { manifest, document } = this.#image
    const { digest, mediaType, bytes } = manifest
    const contents: ImageContents = {
      manifest: { digest, mediaType, size: bytes.length },
      layers: document.layers,
      file,
    }
    return { body, size, offset: 0, version: digest, contents }
  }
}

function sizeOf(layers: readonly Layer[]): number {
  return layers.reduce((sum, { part }) => sum + part.size, 0)
}
