import type { Catalog, Tables } from '../catalog/catalog.ts'
import type { Store } from '../store/store.ts'
import { pushedRecord, recordOf } from './tag-record.ts'

type Ground = { readonly catalog: Catalog; readonly store: Store }

/** Keys that are looked at in one go. */
const handful = 500

/**
 * Records of what clients pushed follow the catalog. Which of them may be behind is written down with the change itself, so
 * that after a crash they follow before anybody is told what the catalog says.
 */
export class PushedRecords {
  readonly #ground: Ground
  /** What is in step again; that is written down with the next change. */
  readonly #inStep = new Set<string>()

  constructor(ground: Ground) {
    this.#ground = ground
  }

  /** To be called in the transaction that changes what the keys stand for. */
  async announce({ recordDebts }: Tables, keys: readonly string[]): Promise<void> {
    const inStep = [...this.#inStep]
    this.#inStep.clear()
    await recordDebts.remove(inStep)
    await recordDebts.add(keys)
  }

  /** Writes what the catalog says. To be called after that transaction, by nobody else for the same keys. */
  async follow(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      await this.#followOne(key)
      this.#inStep.add(key)
    }
  }

  /** Some of the keys that could not follow when they should have, or are about to. */
  async behind(): Promise<readonly string[]> {
    const keys = await this.#ground.catalog.read.recordDebts.some(handful)
    return keys.filter((key) => !this.#inStep.has(key))
  }

  /** After a crash, before anything else runs. */
  async catchUp(): Promise<void> {
    const { catalog } = this.#ground
    for (;;) {
      const keys = await catalog.read.recordDebts.some(handful)
      if (keys.length === 0) return
      for (const key of keys) await this.#followOne(key)
      await catalog.transaction(({ recordDebts }) => recordDebts.remove(keys))
    }
  }

  async #followOne(key: string): Promise<void> {
    const { catalog, store } = this.#ground
    const place = recordOf(key)
    if (!place) return
    const { repository, tag, digest } = place
    const { manifests } = catalog.read
    const manifest =
      tag === null
        ? await manifests.byDigest(repository, digest)
        : await manifests.byTag(repository, tag)
    if (manifest) await store.records.put(key, pushedRecord(manifest))
    else await store.records.remove(key)
  }
}
