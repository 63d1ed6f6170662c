import type { Catalog } from '../catalog/catalog.ts'
import type { Digest } from '../image/digest.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'

/** How many blobs one look takes into one transaction. */
const handful = 500

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
    for (const digest of await this.#catalog.read.blobs.condemned()) {
      try {
        await this.#store.remove(digest)
        await this.#catalog.transaction(({ blobs }) => blobs.forget(digest))
        this.#log.info({ digest }, 'blob removed')
      } catch (error) {
        this.#log.error({ err: error, digest }, 'a blob could not be removed; it is tried again')
      }
    }
  }
}
