import { buffer } from 'node:stream/consumers'
import type { Readable } from 'node:stream'
import type { Catalog } from '../catalog/catalog.ts'
import { Flaw, Refusal } from '../errors.ts'
import { isDigest } from '../image/digest.ts'
import { isTag } from '../image/name.ts'
import type { BlobPart, FetchedManifest, Registry } from '../source/registry/registry.ts'
import type { Store } from '../store/store.ts'

/** A repository of this service as a source: read where it lies, without a network. */
export class OwnRegistry implements Registry {
  readonly #repository: string
  readonly #catalog: Catalog
  readonly #store: Store

  constructor(repository: string, { catalog, store }: { catalog: Catalog; store: Store }) {
    this.#repository = repository
    this.#catalog = catalog
    this.#store = store
  }

  async manifest(tagOrDigest: string, signal: AbortSignal): Promise<FetchedManifest> {
    const found = await this.#look(tagOrDigest)
    if (!found) {
      const message = `this registry has no ${this.#repository} with ${tagOrDigest}; check repository and tag`
      throw new Refusal('SOURCE_REFUSED', message)
    }
    const { digest, mediaType } = found
    return { digest, mediaType, bytes: await buffer(await this.#read(found, 0, signal)) }
  }

  async blob({ digest, size }: BlobPart, offset: number, signal: AbortSignal): Promise<Readable> {
    const held = await this.#catalog.read.holdings.blobSize(this.#repository, digest)
    if (held === null) {
      throw new Refusal('SOURCE_REFUSED', `${this.#repository} does not hold ${digest}`)
    }
    if (held === size) return await this.#read({ digest, size }, offset, signal)
    throw new Flaw(
      'INVALID_OCI',
      `the blob ${digest} has ${held} bytes, its manifest says ${size}; push the image again`,
    )
  }

  async #look(tagOrDigest: string) {
    const { manifests } = this.#catalog.read
    if (isDigest(tagOrDigest)) return await manifests.byDigest(this.#repository, tagOrDigest)
    return isTag(tagOrDigest) ? await manifests.byTag(this.#repository, tagOrDigest) : null
  }

  /** What is open can be read to its end even when the image is deleted meanwhile. */
  async #read({ digest, size }: BlobPart, offset: number, signal: AbortSignal): Promise<Readable> {
    const opened = await this.#store.open(digest, { start: offset, end: size - 1 }, signal)
    return opened.stream()
  }
}
