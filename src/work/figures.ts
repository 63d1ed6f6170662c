import { setImmediate } from 'node:timers/promises'
import type { Catalog } from '../catalog/catalog.ts'
import type { Counts } from '../catalog/totals.ts'
import type { Store } from '../store/store.ts'
import { Lasting } from './lasting.ts'
import type { Room } from './room.ts'

export type FigureOptions = {
  readonly catalog: Catalog
  readonly store: Pick<Store, 'free'>
  readonly room: Pick<Room, 'staged'>
  /** Bytes of all blobs, null for no limit. */
  readonly storageLimit: number | null
  readonly now: () => number
}

/** What the storage holds. Bytes; null where they are not known, or there is no limit. */
export type StorageFigures = {
  readonly blobBytes: number
  /** As if every manifest had bytes of its own. */
  readonly logicalBytes: number
  readonly stagedBytes: number
  readonly freeBytes: number | null
  readonly limitBytes: number | null
  readonly counts: Counts & {
    readonly blobs: number
    readonly repositories: number
    readonly manifests: number
    readonly tags: number
  }
}

/** So many rows are summed up in one go, which takes about a millisecond. */
const pageSize = 100

/** Sums over everything, made in small pages so that nobody waits, and once for all who ask at the same time. */
export class Figures {
  readonly #options: FigureOptions
  readonly #latest: Lasting<StorageFigures>

  constructor(options: FigureOptions) {
    this.#options = options
    this.#latest = new Lasting(() => this.#sum(), options.now)
  }

  async look(): Promise<StorageFigures> {
    return await this.#latest.look()
  }

  /** As `look`, for those who wait no longer than so many milliseconds; null when nothing was summed up yet. */
  async soon(within: number): Promise<StorageFigures | null> {
    return await this.#latest.soon(within)
  }

  async #sum(): Promise<StorageFigures> {
    const { catalog, store, room, storageLimit } = this.#options
    const { count, bytes, logicalBytes } = await this.#blobs()
    const counts = await catalog.read.totals.counts()
    const { count: repositories, rows: manifests } = await this.#repositories('manifests')
    const { rows: tags } = await this.#repositories('tags')
    return {
      blobBytes: bytes,
      logicalBytes,
      stagedBytes: room.staged,
      freeBytes: await store.free(),
      limitBytes: storageLimit,
      counts: { ...counts, blobs: count, repositories, manifests, tags },
    }
  }

  async #blobs() {
    const sum = { count: 0, bytes: 0, logicalBytes: 0 }
    for (let after: string | null = ''; after !== null;) {
      const page = await this.#options.catalog.read.totals.blobs(after, pageSize)
      sum.count += page.count
      sum.bytes += page.bytes
      sum.logicalBytes += page.logicalBytes
      after = page.last
      await setImmediate()
    }
    return sum
  }

  async #repositories(of: 'manifests' | 'tags') {
    const sum = { count: 0, rows: 0 }
    for (let after: string | null = ''; after !== null;) {
      const page = await this.#options.catalog.read.totals.repositories(of, after, pageSize)
      sum.count += page.count
      sum.rows += page.rows
      after = page.last
      await setImmediate()
    }
    return sum
  }
}
