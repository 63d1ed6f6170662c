import type { Readable } from 'node:stream'
import { Flaw, Refusal } from '../errors.ts'
import type { Digest } from '../image/digest.ts'
import { formatSize } from '../image/size.ts'
import { peek } from '../unwrap/peek.ts'
import { unwrap } from '../unwrap/unwrap.ts'
import { behind } from './behind.ts'
import { findDisk, type Layer } from './layers/find-disk.ts'
import { isTar } from './layers/is-tar.ts'
import { verified } from './layers/verified.ts'
import type { DiskArtifact } from './registry/artifact.ts'
import type { Patience } from './registry/patience.ts'
import type { Held, Part, Registry } from './registry/registry.ts'
import type { ResolvedImage } from './registry/resolve-image.ts'
import type { ImageContents, Kept, Listener, Opened } from './source.ts'
import { uncounted, without, type Tally } from './tally.ts'
import { versionAt, whereaboutsIn } from './whereabouts.ts'

export type Known = {
  readonly artifact: DiskArtifact
  /** Of the uncompressed layers, as the configuration tells them; null, or empty, where none does. */
  readonly diffIds: readonly Digest[] | null
  /** Bytes of a layer that is read, as it is stored and unpacked. */
  readonly maxLayer: number
}

type Bytes = Omit<Opened, 'facts'> & { readonly size: number }

/** The part of a blob that is here, and which blob that is. */
type HeldDisk = Held & { readonly blob: Digest }

/** What was found; `at` is where it begins in the blob, null when it has no place there. */
type Disk = {
  readonly size: number
  readonly file: string | null
  readonly part: Part
  readonly at: number | null
}

/** One opening of the disk. */
type Visit = {
  readonly held: HeldDisk | null
  readonly tally: Tally
  readonly patience: Patience | null
  readonly signal: AbortSignal
  /** Whether a later opening could go on from what this one has given. */
  goesOn: boolean
}

/**
 * The disk of one image, wherever it is in there.
 *
 * A later opening goes on where an earlier one stopped if the disk's bytes are those of the blob: the disk is the blob, or
 * it is in a layer that is not compressed. What is here takes its place among what is fetched, and the whole blob is read
 * and verified as ever. Layers above the one with the disk are fetched anew, and so are the headers before it.
 *
 * In a compressed layer nothing goes on: no decoder begins in the middle, the digest of the layer needs its compressed
 * bytes from the first on, and to keep those beside the disk would take the room of both. Most layers have one gzip member
 * or one zstd frame, so their ends are no places to begin at, either. So the decoder is kept alive while a registry is
 * away, for as long as an import is tried again (`Break.lost`); a restart of this service costs the whole layer.
 */
export class ImageDisk {
  readonly #registry: Registry
  readonly #image: ResolvedImage
  readonly #known: Known

  constructor(registry: Registry, image: ResolvedImage, known: Known) {
    this.#registry = registry
    this.#image = image
    this.#known = known
  }

  /**
   * @param from what an earlier opening gave; of no use, and `offset` is 0 then, when it is of another image
   * @throws Flaw INVALID_OCI, UNSAFE_ARCHIVE, CORRUPT_ARCHIVE; what the registry fails with
   */
  async open(
    from: Kept | null,
    signal: AbortSignal,
    listener: Listener = { tally: uncounted },
  ): Promise<Bytes> {
    const { tally, patience = null } = listener
    const held = from && this.#heldOf(from)
    const opened = await this.#open({ held, tally, patience, signal, goesOn: false })
    if (!held || (opened.version === from.version && from.offset <= opened.size)) return opened
    // The headers before the disk are others than they were, so one of the two answers was a lie; or more is here than the
    // disk: a transfer that was ended when all had come has begun to close its own layer.
    opened.body.destroy()
    return await this.open(null, signal, listener)
  }

  #heldOf({ offset, version, read }: Kept): HeldDisk | null {
    const found = whereaboutsIn(version)
    if (found?.manifest !== this.#image.manifest.digest) return null
    return { blob: found.blob, start: found.at, end: found.at + offset, read }
  }

  async #open(visit: Visit): Promise<Bytes> {
    const { artifact } = this.#known
    if (artifact.kind === 'layers') return await this.#fromLayers(this.#layers(visit), visit)
    const { part, title } = artifact
    if (artifact.kind === 'by bytes' && (await this.#isTar(part, visit))) {
      return await this.#fromLayers([this.#layer(part, null, visit.held, visit)], visit)
    }
    return await this.#whole(part, title, visit)
  }

  async #fromLayers(layers: readonly Layer[], visit: Visit): Promise<Bytes> {
    const { tally, held, signal } = visit
    const here = sizeOfHeld(held)
    tally.expect(sizeOf(layers), here)
    const disk = await findDisk(layers, { tally, maxOutput: this.#known.maxLayer }, signal)
    visit.goesOn = disk.at !== null
    // What lies below is not fetched.
    tally.expect(sizeOf(layers.slice(layers.findIndex(({ part }) => part === disk.layer))), here)
    return this.#bytes(disk.body, { ...disk, file: disk.name, part: disk.layer }, visit)
  }

  #layers(visit: Visit): readonly Layer[] {
    const { layers } = this.#image.document
    const { diffIds } = this.#known
    if (diffIds?.length && diffIds.length !== layers.length) {
      throw new Flaw(
        'INVALID_OCI',
        `the image has ${layers.length} layers and its configuration names ${diffIds.length}; build and push it again`,
      )
    }
    // Of two layers with the same bytes the higher one has the disk.
    const holding = layers.findLastIndex(({ digest }) => digest === visit.held?.blob)
    return layers.map((part, at) => {
      const held = at === holding ? visit.held : null
      return this.#layer(part, diffIds?.[at] ?? null, held, visit)
    })
  }

  #layer(part: Part, diffId: Digest | null, held: Held | null, visit: Visit): Layer {
    return { part, diffId, held, open: () => this.#fetch(part, held, visit) }
  }

  /** The blob is the disk, wrapped or not. */
  async #whole(part: Part, file: string | null, visit: Visit): Promise<Bytes> {
    const { tally, held } = visit
    visit.goesOn = true
    tally.expect(part.size, sizeOfHeld(held))
    const blob = await this.#fetch(part, held, visit)
    const body = verified(blob, part, without(held, tally))
    return this.#bytes(body, { size: part.size, file, part, at: 0 }, visit)
  }

  /** Clients label any file as a tar, so the bytes decide. A disk that is here in part has been found in one, or not. */
  async #isTar(part: Part, { held, signal }: Visit): Promise<boolean> {
    if (held) return held.start > 0
    this.#assertSize(part)
    const blob = await this.#registry.blob(part, 0, signal)
    const unwrapped = await unwrap(blob, { maxOutput: this.#known.maxLayer }, signal)
    try {
      return isTar((await peek(unwrapped.body)).head)
    } finally {
      unwrapped.body.destroy()
    }
  }

  async #fetch(part: Part, held: Held | null, visit: Visit): Promise<Readable> {
    this.#assertSize(part)
    const { patience, signal } = visit
    const waits: Patience | null =
      patience &&
      (async (broken, signal) =>
        await patience(visit.goesOn ? { ...broken, lost: 0 } : broken, signal))
    const options = { held, ...(waits && { patience: waits }) }
    return await this.#registry.blob(part, 0, signal, options)
  }

  #assertSize({ digest, size }: Part): void {
    const { maxLayer } = this.#known
    if (size <= maxLayer) return
    throw new Refusal(
      'TOO_LARGE',
      `the layer ${digest} has ${formatSize(size)}, at most ${formatSize(maxLayer)} are read (twice SLIPWAY_MAX_IMAGE_SIZE)`,
    )
  }

  #bytes(body: Readable, disk: Disk, { held }: Visit): Bytes {
    const { manifest, document } = this.#image
    const { digest, mediaType, bytes } = manifest
    const { size, file, part, at } = disk
    const contents: ImageContents = {
      manifest: { digest, mediaType, size: bytes.length },
      layers: document.layers,
      file,
    }
    const version = at === null ? null : versionAt({ manifest: digest, blob: part.digest, at })
    const offset = sizeOfHeld(held)
    return { body: behind(offset, body), size, offset, version, contents }
  }
}

function sizeOf(layers: readonly Layer[]): number {
  return layers.reduce((sum, { part }) => sum + part.size, 0)
}

function sizeOfHeld(held: Held | null): number {
  return held ? held.end - held.start : 0
}
