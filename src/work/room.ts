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

/** A transfer's share of the room, from its announcement to its end. */
export type Claim = Disposable & {
  /** Bytes that have come. */
  received: number
}

type Held = Claim & {
  readonly size: number | null
  /** Bytes that may come before anybody is asked again. */
  readonly ahead: number
}

/** Who does not say how much will come asks again after so many bytes. */
export const askEvery = 64 * 1024 * 1024

/**
 * Whether bytes still fit: asked before they are taken where their number is known, and while they come where not. What
 * other transfers were promised counts as taken.
 */
export class Room {
  readonly #catalog: Catalog
  readonly #store: Pick<Store, 'free'>
  readonly #limits: RoomLimits
  readonly #claims = new Set<Held>()
  #turn: Promise<unknown> = Promise.resolve()

  constructor(catalog: Catalog, store: Pick<Store, 'free'>, limits: RoomLimits) {
    this.#catalog = catalog
    this.#store = store
    this.#limits = limits
  }

  /** Bytes of transfers that are under way or will go on. */
  get staged(): number {
    return sum([...this.#claims].map(({ received }) => received))
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
   * @param own the claim of whoever asks, if it has one
   * @throws Refusal TOO_LARGE; Outage STORAGE_FULL
   */
  async check(size: number, own?: Claim): Promise<void> {
    this.checkSize(size)
    const others = [...this.#claims].filter((claim) => claim !== own)
    const promised = sum(others.map(left))
    const free = await this.#store.free()
    if (free !== null && size + promised + reserve > free) {
      throw new Outage(
        'STORAGE_FULL',
        `the image needs ${formatSize(size)}, but the storage has only ${formatSize(Math.max(0, free - promised - reserve))} left; delete images or enlarge the storage`,
      )
    }
    await this.#checkLimit(size + (own?.received ?? 0), sum(others.map(whole)))
  }

  /**
   * Keeps room for a transfer. One asks at a time, so that two never get the same room.
   * @param size bytes, null when the sender does not tell
   */
  async claim(size: number | null): Promise<Claim> {
    const claims = this.#claims
    const turn = this.#turn.then(async (): Promise<Claim> => {
      await this.check(size ?? 0)
      const claim: Held = {
        size,
        received: 0,
        ahead: size === null ? askEvery : 0,
        [Symbol.dispose]: () => claims.delete(claim),
      }
      claims.add(claim)
      return claim
    })
    this.#turn = turn.catch(() => {})
    return await turn
  }

  /** Bytes that are staged already and stay so between requests: they count as taken, and are never refused. */
  hold(): Claim {
    const claims = this.#claims
    const claim: Held = {
      size: null,
      received: 0,
      ahead: 0,
      [Symbol.dispose]: () => claims.delete(claim),
    }
    claims.add(claim)
    return claim
  }

  async #checkLimit(size: number, promised: number): Promise<void> {
    const { storageLimit } = this.#limits
    if (storageLimit === null) return
    const used = (await this.#catalog.read.blobs.total()) + promised
    if (used + size <= storageLimit) return
    throw new Outage(
      'STORAGE_FULL',
      `the image needs ${formatSize(size)}, but ${formatSize(used)} of ${formatSize(storageLimit)} are in use (SLIPWAY_STORAGE_LIMIT); delete images or raise the limit`,
    )
  }
}

/** Bytes of a claim that are not written yet. */
function left({ size, received, ahead }: Held): number {
  return size === null ? ahead : Math.max(0, size - received)
}

function whole({ size, received }: Held): number {
  return Math.max(size ?? 0, received)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
