import { randomUUID } from 'node:crypto'
import type { Catalog } from '../../catalog/catalog.ts'
import { furthest, type Notice } from '../../catalog/notices.ts'
import { asFailure } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { Alarm } from '../alarm.ts'
import { deliver, type Road } from './deliver.ts'
import { isReadable, messageOf, pingOf, type Readable, type Sight } from './message.ts'
import type { Subscriber } from './subscriber.ts'
import { patience, type Verdict } from './verdict.ts'

export type Outcome = 'delivered' | 'failed' | 'undelivered' | 'dropped'

export type LaneOptions = {
  readonly catalog: Catalog
  readonly sight: Sight
  readonly road: Road
  readonly now: () => number
  /** Milliseconds that nobody sets: patience is measured by them. */
  readonly steady: () => number
  readonly random: () => number
  readonly log: Log
  readonly count: (subscriber: string, outcome: Outcome, times?: number) => void
}

/** What this process has seen of a subscriber. Times are milliseconds since 1970. */
export type Seen = {
  readonly deliveredAt: number | null
  readonly failedAt: number | null
  readonly problem: string
  /** Until when it is left alone, null when it is not. */
  readonly restUntil: number | null
}

const unseen: Seen = { deliveredAt: null, failedAt: null, problem: '', restUntil: null }

/** Messages of different subjects that are on their way at the same time. */
const atOnce = 4
const unreadable = 'another version of Slipway has written this event, and this one cannot read it'
/** How soon to look again after the catalog could not be read or written. */
const again = 5000

/**
 * The way to one subscriber: what waits for it goes in order for each subject. When it fails it is left alone for a while,
 * then one message goes ahead, and the others follow once that has arrived. It shares nothing with other lanes, so that a
 * subscriber that hangs holds up nobody else.
 */
export class Lane {
  readonly #options: LaneOptions
  readonly #alarm: Alarm
  readonly #stopping = new AbortController()
  readonly #flying = new Map<number, Promise<void>>()
  #subscriber: Subscriber
  #looking: Promise<void> = Promise.resolve()
  #failures = 0
  /** Its `restUntil` is by the steady clock. */
  #seen = unseen

  constructor(subscriber: Subscriber, options: LaneOptions) {
    this.#subscriber = subscriber
    this.#options = options
    this.#alarm = new Alarm(options.now, () => this.look())
  }

  get subscriber(): Subscriber {
    return this.#subscriber
  }

  get seen(): Seen {
    const { now, steady } = this.#options
    const ahead = (this.#seen.restUntil ?? -Infinity) - steady()
    const rests = ahead > 0 && ahead <= furthest
    return { ...this.#seen, restUntil: rests ? Math.ceil(now() + ahead) : null }
  }

  /** From now on it is reached in another way. */
  follow(subscriber: Subscriber): void {
    this.#subscriber = subscriber
    this.hurry()
  }

  /** It is not left alone any longer. */
  hurry(): void {
    this.#failures = 0
    this.#seen = { ...this.#seen, restUntil: null }
    this.look()
  }

  /** Something may be due. */
  look(): void {
    this.#looking = this.#looking
      .then(() => this.#fill())
      .catch((error: unknown) => this.#trouble(error, 'notices could not be read'))
  }

  /** What is on its way is cut off, and goes again after the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#alarm.clear()
    await this.#looking
    await Promise.all(this.#flying.values())
  }

  /** Sends a message of no consequence, and says what has become of it. */
  async ping(signal: AbortSignal): Promise<Verdict> {
    const { sight, road, now } = this.#options
    const id = randomUUID()
    const message = pingOf(id, this.#subscriber.form, sight, now())
    const stopped = AbortSignal.any([signal, this.#stopping.signal])
    const verdict = await deliver(this.#subscriber, { id, ...message }, road, stopped)
    if (verdict.kind === 'delivered') this.hurry()
    return verdict
  }

  async #fill(): Promise<void> {
    const { notices } = this.#options.catalog.read
    const { name } = this.#subscriber
    while (!this.#stopping.signal.aborted && this.#flying.size < this.#slots) {
      const { restUntil } = this.seen
      if (restUntil !== null) return this.#alarm.set(restUntil)
      const flying = [...this.#flying.keys()]
      const notice = await notices.due(name, flying)
      if (!notice) return this.#alarm.set((await notices.nextTurn(name, flying)) ?? Infinity)
      this.#send(notice)
    }
  }

  /** As long as it is not known whether it hears, one message goes ahead. */
  get #slots(): number {
    return this.#failures > 0 ? 1 : atOnce
  }

  #send(notice: Notice): void {
    const done = this.#try(notice)
      .catch((error: unknown) => {
        if (!this.#stopping.signal.aborted) this.#trouble(error, 'a notice could not be recorded')
      })
      .finally(() => {
        this.#flying.delete(notice.seq)
        if (!this.#stopping.signal.aborted) this.look()
      })
    this.#flying.set(notice.seq, done)
  }

  async #try(notice: Notice): Promise<void> {
    const { catalog, count } = this.#options
    const { name } = this.#subscriber
    if (!isReadable(notice)) return await this.#putAside(notice)
    const verdict = await this.#deliver(notice)
    if (verdict.kind === 'delivered') {
      this.#heard()
      count(name, 'delivered')
      return await catalog.transaction(({ notices }) => notices.delivered(notice))
    }
    const nextAt = verdict.kind === 'failed' ? this.#later(verdict, notice) : this.#never(verdict)
    count(name, nextAt === null ? 'undelivered' : 'failed')
    this.#tell(notice, verdict.problem, nextAt)
    await catalog.transaction(({ notices }) => notices.failed(notice, verdict.problem, nextAt))
  }

  /** It would never get better, and is not to hold up what comes after it. */
  async #putAside(notice: Notice): Promise<void> {
    const { catalog, count } = this.#options
    count(this.#subscriber.name, 'undelivered')
    this.#tell(notice, unreadable, null)
    await catalog.transaction(({ notices }) => notices.failed(notice, unreadable, null))
  }

  async #deliver(notice: Readable): Promise<Verdict> {
    const { sight, road, log } = this.#options
    const { signal } = this.#stopping
    try {
      const message = await messageOf(notice, this.#subscriber.form, sight, signal)
      return await deliver(this.#subscriber, { id: notice.id, ...message }, road, signal)
    } catch (error) {
      signal.throwIfAborted()
      log.error({ err: error, notice: notice.id }, 'a notice could not be written out')
      return { kind: 'failed', problem: asFailure(error).message, retryAfter: null }
    }
  }

  #heard(): void {
    this.#failures = 0
    this.#seen = { ...this.#seen, deliveredAt: this.#options.now(), restUntil: null }
  }

  /** @returns when the notice is tried again; null when it has been tried for long enough */
  #later({ problem, retryAfter }: Verdict & { kind: 'failed' }, { tries, giveUpAt }: Notice) {
    const { now, steady, random } = this.#options
    const failedAt = now()
    const rests = this.seen.restUntil === null ? null : this.#seen.restUntil
    // Those that were under way together fail together.
    if (rests === null) this.#failures += 1
    const restUntil = rests ?? steady() + patience(this.#failures, retryAfter, random)
    this.#seen = { ...this.#seen, failedAt, problem, restUntil }
    return failedAt >= giveUpAt ? null : failedAt + patience(tries + 1, retryAfter, random)
  }

  /** It hears, and does not want it. */
  #never({ problem }: Verdict & { kind: 'refused' }): null {
    this.#failures = 0
    this.#seen = { ...this.#seen, failedAt: this.#options.now(), problem, restUntil: null }
    return null
  }

  #tell({ id, type, subject }: Notice, problem: string, nextAt: number | null): void {
    const { log } = this.#options
    const about = { subscriber: this.#subscriber.name, notice: id, type, subject, problem }
    if (nextAt === null) return log.error(about, 'a notice was given up')
    log.warn({ ...about, nextAt: new Date(nextAt).toISOString() }, 'a notice was not delivered')
  }

  #trouble(error: unknown, what: string): void {
    const { log, now, steady } = this.#options
    log.error({ err: error, subscriber: this.#subscriber.name }, what)
    this.#seen = { ...this.#seen, restUntil: steady() + again }
    this.#alarm.set(now() + again)
  }
}
