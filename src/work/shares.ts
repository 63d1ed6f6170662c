import { setImmediate } from 'node:timers/promises'
import type { Catalog } from '../catalog/catalog.ts'
import type { SharedBlob } from '../catalog/totals.ts'
import { Lasting } from './lasting.ts'

/** Bytes that the same repositories need. */
export type Share = {
  readonly bytes: number
  readonly blobs: number
  /** The first of their names, in ASCII order. */
  readonly repositories: readonly string[]
  /** How many they are in all; 0: nothing needs these bytes. */
  readonly holders: number
}

export type StorageShares = {
  /** The largest first. */
  readonly items: readonly Share[]
  /** All that is not among them, in sum. */
  readonly others: { readonly bytes: number; readonly blobs: number }
}

/** So many are told apart in an answer. */
const mostShares = 500
/** So many are held in memory while they are summed up; beyond that the smallest are taken together. */
const mostHeld = 20_000
/** Names of one share: a base layer may be needed by thousands of repositories. */
const mostNames = 8
/** So many blobs are looked at in one go, which takes a few milliseconds. */
const pageSize = 100

/** Who needs how much of the storage, each blob counted once. */
export class Shares {
  readonly #catalog: Catalog
  readonly #latest: Lasting<StorageShares>

  constructor({ catalog, now }: { readonly catalog: Catalog; readonly now: () => number }) {
    this.#catalog = catalog
    this.#latest = new Lasting(() => this.#sum(), now)
  }

  async look(): Promise<StorageShares> {
    return await this.#latest.look()
  }

  async #sum(): Promise<StorageShares> {
    const sums = new Sums()
    for (let after: string | null = ''; after !== null;) {
      const page: readonly SharedBlob[] = await this.#catalog.read.totals.shared(
        after,
        pageSize,
        mostNames,
      )
      for (const blob of page) sums.add(blob)
      after = page.length < pageSize ? null : (page.at(-1)?.digest ?? null)
      await setImmediate()
    }
    return sums.largest(mostShares)
  }
}

/** Shares by who needs them. Beyond the names that are told, their number tells them apart. */
class Sums {
  #shares = new Map<string, Share>()
  #others = { bytes: 0, blobs: 0 }

  add({ size, holders, repositories }: SharedBlob): void {
    const key = `${holders} ${repositories.join(' ')}`
    const { bytes, blobs } = this.#shares.get(key) ?? { bytes: 0, blobs: 0 }
    this.#shares.set(key, { bytes: bytes + size, blobs: blobs + 1, repositories, holders })
    if (this.#shares.size > mostHeld) this.#keep(mostHeld / 2)
  }

  largest(most: number): StorageShares {
    this.#keep(most)
    return { items: [...this.#shares.values()], others: this.#others }
  }

  #keep(most: number): void {
    const sorted = [...this.#shares].toSorted(([, one], [, other]) => other.bytes - one.bytes)
    for (const [, { bytes, blobs }] of sorted.slice(most)) {
      this.#others.bytes += bytes
      this.#others.blobs += blobs
    }
    this.#shares = new Map(sorted.slice(0, most))
  }
}
