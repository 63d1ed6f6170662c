import type { Bytes } from './registry-client.ts'

export type Kept = {
  readonly bytes: Bytes
  readonly mediaType: string
  /** Digests of blobs, and of manifests in an index. */
  readonly needs: readonly string[]
  readonly subject: string | null
  readonly artifactType: string
}

/** What must be in a repository, as far as its only writer can know. */
export class Known {
  readonly manifests = new Map<string, Kept>()
  readonly tags = new Map<string, string>()
  /** How many leases a blob has at least. */
  readonly #leases = new Map<string, number>()
  /** Blobs that were deleted, and not brought again. */
  readonly #deleted = new Set<string>()

  /** A blob was pushed or mounted. */
  lease(digest: string): void {
    this.#leases.set(digest, this.#leasesOf(digest) + 1)
    this.#deleted.delete(digest)
  }

  /** A manifest was taken: of each blob it has used a lease, at most. */
  put(digest: string, kept: Kept, tags: readonly string[]): void {
    this.manifests.set(digest, kept)
    for (const tag of tags) this.tags.set(tag, digest)
    for (const need of kept.needs) this.#leases.set(need, Math.max(0, this.#leasesOf(need) - 1))
  }

  remove(digest: string): void {
    this.manifests.delete(digest)
    for (const [tag, target] of this.tags) if (target === digest) this.tags.delete(tag)
  }

  removeBlob(digest: string): void {
    this.#leases.set(digest, 0)
    this.#deleted.add(digest)
  }

  /** Whether a manifest names it. */
  isNeeded(digest: string): boolean {
    return [...this.manifests.values()].some(({ needs }) => needs.includes(digest))
  }

  /** A change of its leases was cut: whether it is here is not known until it is pushed or deleted again. */
  doubt(digest: string, leases: number): void {
    this.#leases.set(digest, Math.min(leases, this.#leasesOf(digest)))
    this.#deleted.delete(digest)
  }

  /** What lies here for certain: manifests, what they name, and what has leases. */
  digests(): readonly string[] {
    const leased = [...this.#leases.keys()].filter((digest) => this.#leasesOf(digest) > 0)
    const needed = [...this.manifests.values()].flatMap(({ needs }) => needs)
    return [...leased, ...this.manifests.keys(), ...needed]
  }

  mustHave(digest: string): boolean {
    return this.#leasesOf(digest) > 0 || this.isNeeded(digest)
  }

  mustNotHave(digest: string): boolean {
    return this.#deleted.has(digest) && !this.mustHave(digest)
  }

  #leasesOf(digest: string): number {
    return this.#leases.get(digest) ?? 0
  }
}
