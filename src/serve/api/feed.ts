import type { Catalog } from '../../catalog/catalog.ts'
import type { Happening } from '../../catalog/events.ts'
import type { Image } from '../../catalog/images.ts'
import type { Log } from '../../log.ts'
import { Entry, lastOfEach, type Look } from './entry.ts'
import { Moves, type MovesOptions } from './moves.ts'
import { Pieces } from './pieces.ts'
import { Telling } from './telling.ts'

export type FeedOptions = MovesOptions & {
  readonly log: Log
  /** Calls back every second until the returned function is called. */
  readonly ticking: (tick: () => void) => () => void
}

/** Events that are read at once, and whose images stay in memory: those who are far behind come back for the rest. */
const mostAtOnce = 64
/** Ticks between two signs of life. */
const beatEvery = 15
/** Watchers that are woken together: what these take is garbage before the next ones begin. */
const handful = 64

/** What all streams of events have in common: for each change one look at the catalog, however many watch. */
export class Feed {
  readonly catalog: Catalog
  readonly moves: Moves
  readonly pieces = new Pieces()
  readonly #options: FeedOptions
  readonly #watchers = new Set<() => void>()
  /** Those who are still to be woken, in order. */
  readonly #asleep = new Set<() => void>()
  #latest: { readonly after: number; readonly entries: Promise<readonly Entry[] | null> } | null =
    null
  #rest: () => void = () => {}
  #ticks = 0
  #looks = 0
  #isLooking = false

  constructor(options: FeedOptions) {
    this.#options = options
    this.catalog = options.catalog
    this.moves = new Moves(options)
  }

  /** The sequence up to which there are events. */
  get newest(): number {
    return this.catalog.newestEvent
  }

  /** Grows when it is time for a sign of life. */
  get beat(): number {
    return Math.floor(this.#ticks / beatEvery)
  }

  /** The stamp of the latest look at an image. */
  get looks(): number {
    return this.#looks
  }

  get watchers(): number {
    return this.#watchers.size
  }

  /** Calls back whenever there may be something to tell, until the returned function is called. */
  watch(wake: () => void): () => void {
    if (this.#watchers.size === 0) this.#begin()
    this.#watchers.add(wake)
    return () => {
      this.#asleep.delete(wake)
      if (this.#watchers.delete(wake) && this.#watchers.size === 0) this.#end()
    }
  }

  /** What comes after an event, in order; null when events in between are not kept any more. */
  async after(seq: number): Promise<readonly Entry[] | null> {
    if (this.#latest?.after !== seq) this.#latest = { after: seq, entries: this.#read(seq) }
    try {
      return await this.#latest.entries
    } catch (error) {
      this.#latest = null
      throw error
    }
  }

  async #read(seq: number): Promise<readonly Entry[] | null> {
    const { events } = this.catalog.read
    const happenings = await events.after(seq, this.newest, mostAtOnce)
    // Looked at afterwards: what was dropped before the events were read shows here.
    const oldest = await events.oldest()
    if (oldest !== null && oldest > seq + 1) return null
    return lastOfEach(happenings).map((happening) => new Entry(happening, this.#look))
  }

  readonly #look = (happening: Happening): Look => ({
    stamp: (this.#looks += 1),
    telling: this.#show(happening),
  })

  async #show({ seq, uid }: Happening): Promise<Telling | null> {
    const image = await this.catalog.read.images.byUid(uid)
    return image && (await this.tell(image, String(seq)))
  }

  /**
   * An image as it is now.
   * @param id as in `frame`
   */
  async tell(image: Image, id: string | null = null): Promise<Telling> {
    const body = await this.#options.presenter.show(image)
    this.moves.overtake(image.uid)
    if (image.phase === 'Provisioning') this.moves.doubt(image.uid)
    return new Telling(body, id)
  }

  #begin(): void {
    const { progress, ticking } = this.#options
    const ends = [
      this.catalog.watchEvents((happenings) => this.#happened(happenings)),
      progress.watchEnds((uid) => this.#transferEnded(uid)),
      ticking(() => void this.#tick()),
    ]
    this.#rest = () => {
      for (const end of ends) end()
    }
  }

  #end(): void {
    this.#rest()
    this.#latest = null
    this.moves.clear()
    this.pieces.clear()
  }

  #happened(happenings: readonly Happening[]): void {
    this.#latest = null
    for (const { uid } of happenings) this.moves.overtake(uid)
    this.#wakeAll()
  }

  /** What was read before shows a transfer that is none any more. */
  #transferEnded(uid: string): void {
    this.#latest = null
    this.moves.doubt(uid)
  }

  async #tick(): Promise<void> {
    const { moves } = this
    const before = { beat: this.beat, stamp: moves.newest }
    this.#ticks += 1
    await this.#lookAtMoves()
    if (this.beat > before.beat || moves.newest > before.stamp) this.#wakeAll()
  }

  /** One look at a time, should the catalog be slow. */
  async #lookAtMoves(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      await this.moves.look()
    } catch (error) {
      this.#options.log.error({ err: error }, 'progress could not be looked at')
    } finally {
      this.#isLooking = false
    }
  }

  /** In between the rest of the service has its turn. */
  #wakeAll(): void {
    const isWaking = this.#asleep.size > 0
    for (const wake of this.#watchers) this.#asleep.add(wake)
    if (!isWaking) this.#wakeSome()
  }

  #wakeSome(): void {
    let woken = 0
    for (const wake of this.#asleep) {
      this.#asleep.delete(wake)
      wake()
      woken += 1
      if (woken === handful) break
    }
    if (this.#asleep.size > 0) setImmediate(() => this.#wakeSome())
  }
}
