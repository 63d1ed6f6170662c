import type { Backlog, Notice } from '../../catalog/notices.ts'
import type { Note } from '../../catalog/notepad.ts'
import type { WatchedFile } from '../../env/watched-file.ts'
import { Refusal } from '../../errors.ts'
import { Lane, type LaneOptions, type Seen } from './lane.ts'
import { wants, type Subscriber } from './subscriber.ts'
import type { Verdict } from './verdict.ts'

export type Subscribers = Pick<WatchedFile<readonly Subscriber[]>, 'content' | 'look'>

export type NotifierOptions = LaneOptions & { readonly file: Subscribers }

/** A subscriber with what waits for it, and what was seen of it. */
export type Standing = {
  readonly subscriber: Subscriber
  readonly backlog: Backlog
  readonly seen: Seen
}

/** How often is looked whether the file has changed, in milliseconds. */
const lookEvery = 1000

/** Whom of the file a note is for. */
export function wanting(file: Pick<Subscribers, 'content'>): (note: Note) => string[] {
  return (note) => file.content.filter((each) => wants(each, note)).map(({ name }) => name)
}

/** Tells others what happens here: a lane for each subscriber of the file, as the file is now. */
export class Notifier {
  readonly #options: NotifierOptions
  readonly #lanes = new Map<string, Lane>()
  #followed: readonly Subscriber[] = []
  #timer: NodeJS.Timeout | null = null
  #looking: Promise<void> = Promise.resolve()

  constructor(options: NotifierOptions) {
    this.#options = options
  }

  start(): void {
    const { catalog, count, log } = this.#options
    catalog.watchNotices(({ subscribers, dropped }) => {
      for (const name of subscribers) this.#lanes.get(name)?.look()
      for (const [subscriber, times] of dropped) {
        count(subscriber, 'dropped', times)
        log.error({ subscriber, times }, 'too many notices wait for it, so the oldest were dropped')
      }
    })
    this.#look()
    this.#timer = setInterval(() => this.#look(), lookEvery).unref()
  }

  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer)
    await this.#looking
    await Promise.all([...this.#lanes.values()].map((lane) => lane.stop()))
  }

  /** By name. */
  async list(): Promise<readonly Standing[]> {
    await this.#looking
    const lanes = [...this.#lanes.values()].toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
    return await Promise.all(
      lanes.map(async (lane) => ({
        subscriber: lane.subscriber,
        backlog: await this.#options.catalog.read.notices.backlog(nameOf(lane)),
        seen: lane.seen,
      })),
    )
  }

  /** @throws Refusal NOT_FOUND */
  async undelivered(name: string, after: number, limit: number): Promise<readonly Notice[]> {
    const { subscriber } = await this.#lane(name)
    return await this.#options.catalog.read.notices.undelivered(subscriber.name, after, limit)
  }

  /**
   * Tries at once what was given up and what waits for its next try.
   * @param id of one event, null for all
   * @returns how many there are
   * @throws Refusal NOT_FOUND
   */
  async tryAgain(name: string, id: string | null): Promise<number> {
    const lane = await this.#lane(name)
    const count = await this.#options.catalog.transaction(({ notices }) =>
      notices.tryAgain(name, id),
    )
    if (id !== null && count === 0) {
      throw new Refusal('NOT_FOUND', `no event ${id} waits for "${name}", and none was given up`)
    }
    lane.hurry()
    return count
  }

  /** @throws Refusal NOT_FOUND */
  async ping(name: string, signal: AbortSignal): Promise<Verdict> {
    return await (await this.#lane(name)).ping(signal)
  }

  async #lane(name: string): Promise<Lane> {
    await this.#looking
    const lane = this.#lanes.get(name)
    if (lane) return lane
    throw new Refusal('NOT_FOUND', `there is no subscriber "${name}" in the file of subscribers`)
  }

  #look(): void {
    this.#looking = this.#looking
      .then(() => this.#follow())
      .catch((error: unknown) => {
        this.#options.log.error({ err: error }, 'subscribers could not be followed')
      })
  }

  async #follow(): Promise<void> {
    const { file, catalog, log } = this.#options
    await file.look()
    const { content } = file
    if (content === this.#followed) return
    const names = content.map(({ name }) => name)
    for (const name of this.#lanes.keys()) if (!names.includes(name)) await this.#end(name)
    const forgotten = await catalog.transaction(({ notices }) => notices.keepOnly(names))
    if (forgotten > 0) log.warn({ forgotten }, 'notices were for subscribers that are gone')
    for (const subscriber of content) this.#go(subscriber)
    this.#followed = content
  }

  #go(subscriber: Subscriber): void {
    const lane = this.#lanes.get(subscriber.name)
    if (lane) return lane.follow(subscriber)
    const next = new Lane(subscriber, this.#options)
    this.#lanes.set(subscriber.name, next)
    next.look()
  }

  async #end(name: string): Promise<void> {
    await this.#lanes.get(name)?.stop()
    this.#lanes.delete(name)
  }
}

function nameOf({ subscriber }: Lane): string {
  return subscriber.name
}
