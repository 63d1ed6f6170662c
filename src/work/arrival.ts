import { asFailure, Bug } from '../errors.ts'
import { headSize, layerSize, saidBy } from '../pack/tar-frame.ts'
import type { Staging, Store } from '../store/store.ts'
import { Stopped } from './active.ts'
import { isBroken } from './body.ts'

/**
 * The bytes of one image on their way in, over as many transfers as it takes: what one leaves durable the next goes on
 * from. A plain disk is staged in its layer. What is wrapped is kept as it was sent, because no decoder goes on in the
 * middle; it is unwrapped anew from there.
 */
export class Arrival implements AsyncDisposable {
  readonly id: string
  readonly #store: Store
  #layer: Staging | null = null
  #sent: Staging | null = null

  private constructor(id: string, store: Store) {
    this.id = id
    this.#store = store
  }

  /**
   * @param id of the image; one transfer at a time
   * @param upTo bytes of the source beyond are cut off
   */
  static async open(id: string, store: Store, upTo = Infinity): Promise<Arrival> {
    const arrival = new Arrival(id, store)
    arrival.#sent = await store.resume(sentId(id), { upTo })
    arrival.#layer = arrival.#sent ? null : await resumeLayer(id, store, upTo + headSize)
    if (arrival.offset === 0) await arrival.restart()
    return arrival
  }

  /** Removes what is left of an image's bytes; nobody may be taking them in. */
  static async discard(id: string, store: Store): Promise<void> {
    await store.discard(sentId(id))
    await store.discard(layerId(id))
  }

  /** Whether these staged bytes belong to the image. */
  static owns(id: string, staged: string): boolean {
    return staged === sentId(id) || staged === layerId(id)
  }

  /** Bytes of the source that are here: the next transfer begins with the one behind them. */
  get offset(): number {
    if (this.#sent) return this.#sent.size
    return Math.max(0, (this.#layer?.size ?? 0) - headSize)
  }

  /** Makes durable what came, while more is coming. */
  async keep(): Promise<void> {
    await (this.#sent ?? this.#layer)?.keep()
  }

  /** Lets go of what is here, for a later transfer. */
  async leave(): Promise<void> {
    await this.#sent?.leave()
    await this.#layer?.leave()
  }

  /** The bytes of the source that are here, from `offset` on. */
  async read(offset: number, length: number, signal: AbortSignal): Promise<Buffer> {
    if (this.#sent) return await this.#sent.read(offset, length, signal)
    if (this.#layer) return await this.#layer.read(headSize + offset, length, signal)
    throw new Bug('nothing is here to be read again')
  }

  /** What is here is of no use. */
  async restart(): Promise<void> {
    await this.#sent?.discard()
    await this.#layer?.discard()
    this.#sent = null
    this.#layer = null
    await Arrival.discard(this.id, this.#store)
  }

  /** Whether what is here was sent wrapped; null when nothing is here. */
  get isWrapped(): boolean | null {
    if (this.#sent) return true
    return this.#layer ? false : null
  }

  /**
   * Where the disk goes, in its layer: what is there already among it.
   * @param diskSize bytes, null when nobody can tell yet
   */
  async layer(diskSize: number | null): Promise<Staging> {
    const size = diskSize === null ? null : layerSize(diskSize)
    this.#layer ??= await this.#store.stage({
      id: layerId(this.id),
      amended: diskSize === null,
      size,
    })
    return this.#layer
  }

  /** Where wrapped bytes go as they are sent; nobody needs their digest. */
  async sent(): Promise<Staging> {
    this.#sent ??= await this.#store.stage({ id: sentId(this.id), amended: true })
    return this.#sent
  }

  /**
   * A transfer has failed: what it brought is made durable when another one may go on from it, else dropped.
   * @param error what it failed with
   */
  async fail(error: unknown): Promise<void> {
    if (!mayGoOn(error)) return await this.restart()
    if (this.#sent) {
      await this.#layer?.discard()
      this.#layer = null
    }
    const kept = this.#sent ?? this.#layer
    if (!kept) return
    try {
      await kept.flush()
    } finally {
      await kept.leave()
    }
  }

  /** Drops what nobody needs any more; a layer that was published is gone from here. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sent?.discard()
    await this.#layer?.discard()
  }
}

/** One page from the slowest of disks, in milliseconds. */
const readWithin = 60_000

function mayGoOn(error: unknown): boolean {
  if (error instanceof Stopped) return error.why !== 'deleted' && error.why !== 'expired'
  // A disk that is full or fails for a while is an outage, too.
  return isBroken(error) || asFailure(error).row.kind === 'outage'
}

function layerId(id: string): string {
  return `image-${id}`
}

/** The image whose bytes are staged under such an id, null when they are none of an image's. */
export function ownerOf(staged: string): string | null {
  return /^image-(.+?)(?:-sent|-part)?$/.exec(staged)?.[1] ?? null
}

function sentId(id: string): string {
  return `image-${id}-sent`
}

/** A layer that had got its tail, or a part of it, loses it again: what is here is the disk. */
async function resumeLayer(id: string, store: Store, upTo: number): Promise<Staging | null> {
  const layer = await store.resume(layerId(id), { upTo })
  if (!layer) return null
  await using undo = new AsyncDisposableStack()
  undo.defer(() => layer.leave())
  const head = await layer.read(0, headSize, AbortSignal.timeout(readWithin))
  const said = saidBy(head)
  if (!said || layer.size <= headSize + said.diskSize) {
    undo.move()
    return layer
  }
  await undo.disposeAsync()
  return await store.resume(layerId(id), { upTo: headSize + said.diskSize })
}

/**
 * Bytes of an image's source that are staged, while nobody takes more of them in.
 * @param size bytes of the source, null when nobody has told: what is staged behind them is the end of the layer
 */
export async function stagedOf(id: string, store: Store, size: number | null): Promise<number> {
  const arrival = await Arrival.open(id, store, size ?? Infinity)
  await arrival.leave()
  return arrival.offset
}
