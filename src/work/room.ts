import type { Catalog } from '../catalog/catalog.ts'
import { Outage, Refusal } from '../errors.ts'
import { formatSize } from '../image/size.ts'
import type { Store } from '../store/store.ts'

/** Kept free on the disk, so that the catalog can always be written and a deletion can always be recorded. */
const reserve = 64 * 1024 * 1024

export type RoomLimits = {
  /** Bytes of one file. */
  readonly maxImageSize: number
  /** Bytes of all blobs, null for no limit. */
  readonly storageLimit: number | null
}

/** Whether bytes still fit: asked before they are taken where their number is known, and while they come where not. */
export class Room {
  readonly #catalog: Catalog
  readonly #store: Store
  readonly #limits: RoomLimits

  constructor(catalog: Catalog, store: Store, limits: RoomLimits) {
    this.#catalog = catalog
    this.#store = store
    this.#limits = limits
  }

  /** @throws Refusal TOO_LARGE */
  checkSize(size: number): void {
    const { maxImageSize } = this.#limits
    if (size <= maxImageSize) return
    throw new Refusal(
      'TOO_LARGE',
      `the image has ${formatSize(size)} or more, at most ${formatSize(maxImageSize)} are allowed (SLIPWAY_MAX_IMAGE_SIZE)`,
    )
  }

  /**
   * @param size bytes that are about to be written
   * @throws Refusal TOO_LARGE; Outage STORAGE_FULL
   */
  async check(size: number): Promise<void> {
    this.checkSize(size)
    const free = await this.#store.free()
    if (free !== null && size + reserve > free) {
      throw new Outage(
        'STORAGE_FULL',
        `the image needs ${formatSize(size)}, but the storage has only ${formatSize(Math.max(0, free - reserve))} left; delete images or enlarge the storage`,
      )
    }
    await this.#checkLimit(size)
  }

  async #checkLimit(size: number): Promise<void> {
    const { storageLimit } = this.#limits
    if (storageLimit === null) return
    const used = await this.#catalog.read.blobs.total()
    if (used + size <= storageLimit) return
    throw new Outage(
      'STORAGE_FULL',
      `the image needs ${formatSize(size)}, but ${formatSize(used)} of ${formatSize(storageLimit)} are in use (SLIPWAY_STORAGE_LIMIT); delete images or raise the limit`,
    )
  }
}
