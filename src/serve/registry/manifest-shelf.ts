import { buffer } from 'node:stream/consumers'
import type { Catalog } from '../../catalog/catalog.ts'
import type { Manifest } from '../../catalog/manifests.ts'
import { algorithmOf, digestOf, isDigest } from '../../image/digest.ts'
import { isTag } from '../../image/name.ts'
import type { Checkup } from '../../work/checkup.ts'

/** Bytes of all manifests that are kept at hand, and of the largest of them. */
const mostBytes = 32 * 1024 * 1024
const largest = 256 * 1024

/** What a manifest at hand takes beside its bytes. */
const overhead = 1024

/** `bytes` is null for a manifest that is too large to be kept at hand. */
export type AtHand = Manifest & { readonly bytes: Buffer | null }

/**
 * Manifests as they are asked for, by repository and tag or digest. Thousands of nodes ask for the same few: those are
 * answered from memory, and forgotten when their repository changes.
 */
export class ManifestShelf {
  readonly #catalog: Catalog
  readonly #checkup: Checkup
  readonly #repositories = new Map<string, Map<string, AtHand>>()
  #bytes = 0
  /** Counts changes: what was read before one must not be kept after it. */
  #changes = 0

  constructor(catalog: Catalog, checkup: Checkup) {
    this.#catalog = catalog
    this.#checkup = checkup
    catalog.watchRepositories((repository) => this.#forget(repository))
  }

  /** Null when the repository has no such manifest, or its bytes are damaged. */
  async find(
    repository: string,
    reference: string,
    signal: () => AbortSignal,
  ): Promise<AtHand | null> {
    const kept = this.#repositories.get(repository)?.get(reference)
    if (kept) return kept
    const changes = this.#changes
    const manifest = await this.#look(repository, reference)
    if (!manifest) return null
    if (manifest.size > largest) return { ...manifest, bytes: null }
    const found = { ...manifest, bytes: await this.#read(manifest, signal()) }
    if (digestOf(found.bytes, algorithmOf(manifest.digest)) !== manifest.digest) {
      this.#checkup.suspect(manifest.digest)
      return null
    }
    if (changes === this.#changes) this.#keep(repository, reference, found)
    return found
  }

  async #look(repository: string, reference: string): Promise<Manifest | null> {
    const { blobs } = this.#catalog.read
    const found = await this.#named(repository, reference)
    return found && (await blobs.size(found.digest)) !== null ? found : null
  }

  async #named(repository: string, reference: string): Promise<Manifest | null> {
    const { manifests } = this.#catalog.read
    if (isDigest(reference)) return await manifests.byDigest(repository, reference)
    return isTag(reference) ? await manifests.byTag(repository, reference) : null
  }

  async #read({ digest }: Manifest, signal: AbortSignal): Promise<Buffer> {
    await using opened = await this.#checkup.open(digest, null, signal)
    return await buffer(opened.stream())
  }

  #keep(repository: string, reference: string, found: AtHand): void {
    if (this.#bytes + found.size + overhead > mostBytes) this.#forgetAll()
    const kept = this.#repositories.get(repository) ?? new Map<string, AtHand>()
    if (!kept.has(reference)) this.#bytes += found.size + overhead
    this.#repositories.set(repository, kept.set(reference, found))
  }

  #forget(repository: string): void {
    this.#changes += 1
    for (const { size } of this.#repositories.get(repository)?.values() ?? []) {
      this.#bytes -= size + overhead
    }
    this.#repositories.delete(repository)
  }

  #forgetAll(): void {
    this.#repositories.clear()
    this.#bytes = 0
  }
}
