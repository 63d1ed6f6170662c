import type { Catalog } from '../catalog/catalog.ts'
import type { Digest } from '../image/digest.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'

/** How many blobs one look takes into one transaction. */
const handful = 500
/** How many are removed before their rows go: a push of the same blob waits for that. */
const fewer = 50

/**
 * Frees the bytes that nothing needs: marked in one transaction, removed from the store after it, forgotten last. One
 * collection runs at a time, so that a blob is never removed after somebody was told that it is gone.
 */
export class Collector {
  readonly #catalog: Catalog
  readonly #store: Store
  readonly #log: Log
  #running: Promise<void> = Promise.resolve()

  constructor(catalog: Catalog, store: Store, log: Log) {
    this.#catalog = catalog
    this.#store = store
    this.#log = log
  }

  /** Removes those of the candidates that nothing needs. */
  async collect(candidates: readonly Digest[]): Promise<void> {
    await this.#inTurn(async () => {
      await this.#catalog.transaction(({ blobs }) => blobs.condemn(candidates))
      await this.#removeCondemned()
    })
  }

  /** Removes what a crash left: blobs that were announced and never used, and deletions that were not finished. */
  async sweep(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#removeCondemned()
      for (;;) {
        const left = await this.#catalog.read.blobs.unkept(handful)
        if (left.length === 0) return
        await this.#catalog.transaction(({ blobs }) => blobs.condemn(left))
        await this.#removeCondemned()
      }
    })
  }

  /** Resolves when no removal is under way. */
  async idle(): Promise<void> {
    await this.#running.catch(() => {})
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#running.catch(() => {}).then(work)
    this.#running = turn
    await turn
  }

  async #removeCondemned(): Promise<void> {
    const condemned = await this.#catalog.read.blobs.condemned()
    for (let from = 0; from < condemned.length; from += fewer) {
      await this.#removeAll(condemned.slice(from, from + fewer))
    }
  }

  /** The row of a blob goes after its bytes, one transaction for several. */
  async #removeAll(digests: readonly Digest[]): Promise<void> {
    const removed: Digest[] = []
    for (const digest of digests) {
      try {
        await this.#store.remove(digest)
        removed.push(digest)
      } catch (error) {
        this.#log.error({ err: error, digest }, 'a blob could not be removed; it is tried again')
      }
    }
    if (removed.length === 0) return
    try {
      await this.#catalog.transaction(({ blobs }) => blobs.forget(removed))
      this.#log.info({ digests: removed }, 'blobs removed')
    } catch (error) {
      this.#log.error({ err: error }, 'removed blobs could not be forgotten; it is tried again')
    }
  }
}
