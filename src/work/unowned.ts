import type { Catalog } from '../catalog/catalog.ts'
import type { Store } from '../store/store.ts'
import { ownerOf } from './arrival.ts'

export type UnownedOptions = {
  readonly catalog: Catalog
  readonly store: Pick<Store, 'staged'>
  /** Whether a request of this process is taking these bytes in. */
  readonly isTaking: (id: string) => boolean
  readonly now: () => number
}

/** Staged bytes of nobody: of no image, no push and no request that is under way. */
export class Unowned {
  readonly #options: UnownedOptions
  /** When each of them was first seen: bytes that are staged do not tell how old they are. */
  readonly #seen = new Map<string, number>()

  constructor(options: UnownedOptions) {
    this.#options = options
  }

  /** Those that have been nobody's for so many milliseconds, as far as was looked. */
  async since(duration: number): Promise<readonly string[]> {
    const now = this.#options.now()
    const present = await this.#present()
    for (const id of this.#seen.keys()) if (!present.has(id)) this.#seen.delete(id)
    for (const id of present) if (!this.#seen.has(id)) this.#seen.set(id, now)
    return [...present].filter((id) => now - (this.#seen.get(id) ?? now) >= duration)
  }

  async #present(): Promise<ReadonlySet<string>> {
    const present = new Set<string>()
    for (const id of await this.#options.store.staged()) {
      if (!(await this.#isOwned(id))) present.add(id)
    }
    return present
  }

  async #isOwned(id: string): Promise<boolean> {
    const { catalog, isTaking } = this.#options
    if (isTaking(id)) return true
    const uid = ownerOf(id)
    if (uid !== null && (await catalog.read.images.byUid(uid))) return true
    return (await catalog.read.pushSessions.byId(id)) !== null
  }
}
