import type { Digest } from '../image/digest.ts'

/** How long and how many are remembered. */
const rememberFor = 600_000
const most = 10_000

/**
 * Blobs that went with the manifest that needed them. Clients that clean up delete the manifest and then each of its blobs:
 * they are told that it is done, once.
 */
export class Freed {
  readonly #now: () => number
  /** When each of them went, the oldest first. */
  readonly #times = new Map<string, number>()

  constructor(now: () => number) {
    this.#now = now
  }

  add(repository: string, digests: readonly Digest[]): void {
    for (const digest of digests) {
      this.#times.delete(keyOf(repository, digest))
      this.#times.set(keyOf(repository, digest), this.#now())
    }
    for (const [key, time] of this.#times) {
      if (this.#times.size <= most && this.#now() - time < rememberFor) break
      this.#times.delete(key)
    }
  }

  /** Whether it is one of them; it is none from now on. */
  take(repository: string, digest: Digest): boolean {
    const key = keyOf(repository, digest)
    const time = this.#times.get(key)
    return this.#times.delete(key) && this.#now() - (time ?? 0) < rememberFor
  }
}

function keyOf(repository: string, digest: Digest): string {
  return `${repository} ${digest}`
}
