import { containerImageSection, type ContainerImageSection } from '../image/data-source.ts'
import { parseReference, shownReference, type Reference } from '../image/reference.ts'
import { checkedSection } from './checked-section.ts'
import { ImageDisk } from './image-disk.ts'
import { diskArtifact } from './registry/artifact.ts'
import { openRegistry, type RegistryOptions } from './registry/client.ts'
import { parsePlatform, shownPlatform } from './registry/platform.ts'
import type { ImageDocument } from './registry/documents.ts'
import type { ImageConfig } from './registry/image-config.ts'
import type { Part, Registry } from './registry/registry.ts'
import { fetchConfig, resolveImage } from './registry/resolve-image.ts'
import type { Place, Resolved, Resume, Source } from './source.ts'
import { uncounted, type Tally } from './tally.ts'

export type ContainerImageOptions = RegistryOptions & {
  /** Bytes of a layer that is read, as it is stored and unpacked. */
  readonly maxLayer: number
  /** A repository of this very service, which is read without a network; null for all others. */
  readonly own: (reference: Reference) => Registry | null
}

/** What is taken where several platforms are there and none was asked for (image-lifecycle, "What a user says"). */
const usualPlatform = 'linux/amd64'

/** Disks in container images: in a layer, or as an artifact of their own (sources, "Container registries"). */
export function containerImageSource(options: ContainerImageOptions): Source {
  return {
    at(input) {
      const section = checkedSection('containerImage', containerImageSection, input)
      return new ImagePlace(section, options)
    },
  }
}

/** The one layer of an image, which is what its configuration says without being unpacked; null for any other image. */
function soleLayer({ layers }: ImageDocument, { diffIds }: ImageConfig): Part | null {
  const [layer, ...others] = layers
  const isPlain = diffIds.every((diffId) => diffId === layer?.digest) && diffIds.length <= 1
  return layer && others.length === 0 && isPlain ? layer : null
}

class ImagePlace implements Place {
  readonly label: string
  readonly #reference: Reference
  readonly #registry: Registry
  readonly #isOwn: boolean
  readonly #asked: string | null
  readonly #maxLayer: number

  constructor(section: ContainerImageSection, options: ContainerImageOptions) {
    this.#reference = parseReference(section.image)
    this.label = shownReference(this.#reference)
    // Credentials are judged at the front door, so whoever gives some goes through it.
    const own = section.auth ? null : options.own(this.#reference)
    this.#registry = own ?? openRegistry(this.#reference, section, options)
    this.#isOwn = own !== null
    this.#asked = section.platform ?? null
    this.#maxLayer = options.maxLayer
  }

  /** From its start alone: who has bytes that came before resolves it, and shows them. */
  async open(_from: Resume | null, signal: AbortSignal, tally: Tally = uncounted) {
    return await (await this.resolve(signal)).open(null, signal, { tally })
  }

  async resolve(signal: AbortSignal): Promise<Resolved> {
    const { tag, digest } = this.#reference
    const wanted = parsePlatform(this.#asked ?? usualPlatform)
    const image = await resolveImage(this.#registry, digest ?? tag ?? 'latest', wanted, signal)
    const { document } = image
    const artifact = diskArtifact(document)
    const config =
      artifact.kind === 'layers'
        ? await fetchConfig(this.#registry, document, this.#asked === null ? null : wanted, signal)
        : null
    const platform = config?.platform ?? (this.#asked === null ? null : wanted)
    const facts = {
      image: this.label,
      digest: image.digest,
      ...(platform && { platform: shownPlatform(platform) }),
    }
    const disk = new ImageDisk(this.#registry, image, {
      artifact,
      diffIds: config?.diffIds ?? null,
      maxLayer: this.#maxLayer,
    })
    return {
      facts,
      sole: config && soleLayer(document, config),
      isOwn: this.#isOwn,
      open: async (from, signal, listener) => {
        // What lies here is not fetched, so there is nothing to be saved.
        const kept = this.#isOwn ? null : from
        return { ...(await disk.open(kept, signal, listener)), facts }
      },
    }
  }
}
