import type { Catalog } from '../catalog/catalog.ts'
import type { StagedBytes } from '../catalog/jobs.ts'
import { Outage, Refusal } from '../errors.ts'
import { formatSize } from '../image/size.ts'
import { isAside, type Store } from '../store/store.ts'

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

/** A transfer that may go on from what is staged of its image. */
export type Continued = {
  readonly imageUid: string
  /** Bytes that are here, and stay. */
  readonly staged: number
}

type Asked = {
  /** The claim of whoever asks, if it has one. */
  readonly own?: Claim
  /** An image whose staged bytes go before the others come. */
  readonly instead?: string
}

type Wanted = {
  readonly size: number
  /** Bytes of the same file that are here already. */
  readonly here: number
  readonly claim?: Held | undefined
  /** The image whose staged bytes are those that are here. */
  readonly goesOn?: string | undefined
  readonly dropped?: string | undefined
}

type Held = Claim & {
  readonly size: number | null
  readonly goesOn: Continued | null
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
   * @throws Refusal TOO_LARGE; Outage STORAGE_FULL
   */
  async check(size: number, { own, instead }: Asked = {}): Promise<void> {
    const claim = [...this.#claims].find((one) => one === own)
    await this.#assert({ size, claim, here: claim ? here(claim) : 0, dropped: instead })
  }

  async #assert({ size, here: already, claim, goesOn, dropped }: Wanted): Promise<void> {
    this.checkSize(size)
    const staged = await this.#staged()
    const others = [...this.#claims].filter((one) => one !== claim)
    const freed = sum(staged.filter((one) => one.imageUid === dropped).map(bytesOf))
    await this.#checkFree(size, sum(others.map(left)), freed)
    // Whose length is known goes to its place at once.
    if (size === 0) await this.#checkAside(sum(others.map(({ ahead }) => ahead)))
    const resting = staged.filter(({ imageUid }) => ![goesOn, dropped].includes(imageUid))
    await this.#checkLimit(size + already, sum(others.map(whole)) + sum(resting.map(bytesOf)))
  }

  /** What lies between transfers of uploads and imports; what one of them goes on from is in its claim. */
  async #staged(): Promise<readonly StagedBytes[]> {
    const { uploads, jobs } = this.#catalog.read
    const moving = new Set([...this.#claims].map(({ goesOn }) => goesOn?.imageUid))
    const staged = [...(await uploads.staged()), ...(await jobs.staged())]
    return staged.filter(({ imageUid }) => !moving.has(imageUid))
  }

  /**
   * Keeps room for a transfer. One asks at a time, so that two never get the same room.
   * @param size bytes that are to come, null when the sender does not tell
   * @param goesOn what it goes on from
   */
  async claim(size: number | null, goesOn: Continued | null = null): Promise<Claim> {
    const claims = this.#claims
    const turn = this.#turn.then(async (): Promise<Claim> => {
      const already = goesOn?.staged ?? 0
      await this.#assert({ size: size ?? 0, here: already, goesOn: goesOn?.imageUid })
      const claim: Held = {
        size,
        goesOn,
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
      goesOn: null,
      received: 0,
      ahead: 0,
      [Symbol.dispose]: () => claims.delete(claim),
    }
    claims.add(claim)
    return claim
  }

  async #checkFree(size: number, promised: number, freed: number): Promise<void> {
    const free = await this.#store.free()
    if (free === null || size + promised + reserve <= free + freed) return
    const rest = Math.max(0, free + freed - promised - reserve)
    throw new Outage(
      'STORAGE_FULL',
      `the image needs ${formatSize(size)}, but the storage has only ${formatSize(rest)} left, beside ${formatSize(reserve)} that stay free; delete images or enlarge the storage`,
    )
  }

  async #checkAside(promised: number): Promise<void> {
    if (!isAside(this.#store)) return
    const { folder, free } = await this.#store.aside()
    if (promised + reserve <= free) return
    const rest = formatSize(Math.max(0, free - promised - reserve))
    throw new Outage(
      'STORAGE_FULL',
      `bytes of unknown length are put aside in ${folder}, which has only ${rest} left; free space there, or set SLIPWAY_SCRATCH_DIR to a larger disk`,
    )
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

function here({ goesOn, received }: Held): number {
  return received + (goesOn?.staged ?? 0)
}

function whole({ size, received, goesOn }: Held): number {
  return Math.max(size ?? 0, received) + (goesOn?.staged ?? 0)
}

function bytesOf({ bytes }: StagedBytes): number {
  return bytes
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
