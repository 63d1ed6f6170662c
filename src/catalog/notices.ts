import { randomUUID } from 'node:crypto'
import type { Kysely, Selectable } from 'kysely'
import { noteText } from './noted.ts'
import type { Note } from './notepad.ts'
import type { NoticeTable, Schema } from './schema.ts'

/** About as many are kept for one subscriber; beyond that the oldest go. Some 30 MB when all of them are of images. */
const mostKept = 10_000
/** So many may come on top before somebody looks: to count what waits for dead subscribers holds up whoever writes. */
const lookEvery = 100
/** No turn is further ahead, in milliseconds, unless the clock was wrong when it was set: then it has come. */
export const furthest = 2 * 3_600_000
/** How long a notice is tried, in milliseconds. */
const triedFor = 3 * 86_400_000

/** Names of the subscribers that want to be told. */
export type Wanting = (note: Note) => readonly string[]

/** An event for one subscriber. Times are milliseconds since 1970. */
export type Notice = {
  readonly seq: number
  /** The same for all subscribers of the event, and for each repetition. */
  readonly id: string
  readonly subscriber: string
  readonly type: string
  readonly subject: string
  /** Null when this version cannot read what another one has written. */
  readonly note: Note | null
  readonly at: number
  readonly tries: number
  readonly giveUpAt: number
  readonly problem: string
}

/** What is there for one subscriber. */
export type Backlog = {
  readonly waiting: number
  readonly undelivered: number
  /** When the oldest event that waits happened, null without any. */
  readonly oldest: number | null
}

/** What became of notices that were written down. */
export type Written = {
  readonly subscribers: ReadonlySet<string>
  /** How many older ones had to go, by subscriber. */
  readonly dropped: ReadonlyMap<string, number>
}

/** What others are still to be told. A notice goes when it has been delivered. */
export class Notices {
  readonly #db: Kysely<Schema>
  readonly #now: () => number
  readonly #unseen: Map<string, number>

  /** @param unseen how many were written for each subscriber since somebody looked; nobody has where it is missing */
  constructor(db: Kysely<Schema>, now: () => number, unseen: Map<string, number>) {
    this.#db = db
    this.#now = now
    this.#unseen = unseen
  }

  /** Writes down what a transaction has to tell; to be called at its end. */
  async write(notes: readonly Note[], wanting: Wanting): Promise<Written> {
    const subscribers = new Set<string>()
    for (const note of notes) {
      const id = randomUUID()
      for (const subscriber of wanting(note)) {
        await this.#add(subscriber, id, note)
        subscribers.add(subscriber)
        this.#unseen.set(subscriber, (this.#unseen.get(subscriber) ?? lookEvery) + 1)
      }
    }
    const dropped = new Map<string, number>()
    for (const subscriber of subscribers) {
      if ((this.#unseen.get(subscriber) ?? 0) < lookEvery) continue
      this.#unseen.set(subscriber, 0)
      const count = await this.#dropOldest(subscriber)
      if (count > 0) dropped.set(subscriber, count)
    }
    return { subscribers, dropped }
  }

  async #add(subscriber: string, id: string, note: Note): Promise<void> {
    const at = this.#now()
    const { type, subject } = note
    const isBehind = (await this.#head(subscriber, subject)) !== null
    await this.#db
      .insertInto('notices')
      .values({
        id,
        subscriber,
        type,
        subject,
        note: JSON.stringify(note),
        at,
        state: 'waiting',
        tries: 0,
        next_at: isBehind ? null : at,
        give_up_at: at + triedFor,
        problem: '',
      })
      .execute()
  }

  async #dropOldest(subscriber: string): Promise<number> {
    const rows = await this.#db
      .deleteFrom('notices')
      .where('seq', 'in', (from) =>
        from
          .selectFrom('notices')
          .select('seq')
          .where('subscriber', '=', subscriber)
          // What was given up goes before what is still tried.
          .orderBy('state', 'desc')
          .orderBy('seq', 'desc')
          .limit(mostKept)
          .offset(mostKept),
      )
      .returning('subject')
      .execute()
    for (const subject of new Set(rows.map((row) => row.subject))) {
      await this.#advance(subscriber, subject)
    }
    return rows.length
  }

  /**
   * The one whose turn came first. Only the oldest of a subject has one, so that each image and each repository is told of
   * in order.
   * @param flying those that are under way
   */
  async due(subscriber: string, flying: readonly number[]): Promise<Notice | null> {
    const now = this.#now()
    const row = await this.#turns(subscriber, flying)
      .selectAll()
      .where((is) => is.or([is('next_at', '<=', now), is('next_at', '>', now + furthest)]))
      .orderBy('next_at')
      .orderBy('seq')
      .limit(1)
      .executeTakeFirst()
    return row ? fromRow(row) : null
  }

  /** When `due` has something next, null without anything. */
  async nextTurn(subscriber: string, flying: readonly number[]): Promise<number | null> {
    const row = await this.#turns(subscriber, flying)
      .select('next_at')
      .orderBy('next_at')
      .limit(1)
      .executeTakeFirst()
    return row?.next_at ?? null
  }

  #turns(subscriber: string, flying: readonly number[]) {
    return this.#db
      .selectFrom('notices')
      .where('subscriber', '=', subscriber)
      .where('state', '=', 'waiting')
      .where('next_at', 'is not', null)
      .where('seq', 'not in', [0, ...flying])
  }

  /** The oldest of a subject that waits. */
  async #head(subscriber: string, subject: string): Promise<number | null> {
    const row = await this.#db
      .selectFrom('notices')
      .select('seq')
      .where('subscriber', '=', subscriber)
      .where('state', '=', 'waiting')
      .where('subject', '=', subject)
      .orderBy('seq')
      .limit(1)
      .executeTakeFirst()
    return row?.seq ?? null
  }

  /** The one that was before the next of a subject may be gone. */
  async #advance(subscriber: string, subject: string): Promise<void> {
    const head = await this.#head(subscriber, subject)
    if (head === null) return
    await this.#db
      .updateTable('notices')
      .set({ next_at: this.#now() })
      .where('seq', '=', head)
      .where('next_at', 'is', null)
      .execute()
  }

  async delivered({ seq, subscriber, subject }: Notice): Promise<void> {
    await this.#db.deleteFrom('notices').where('seq', '=', seq).execute()
    await this.#advance(subscriber, subject)
  }

  /** @param nextAt when it is tried again, null when it is not */
  async failed(notice: Notice, problem: string, nextAt: number | null): Promise<void> {
    const { seq, tries, subscriber, subject } = notice
    const row = this.#db.updateTable('notices').where('seq', '=', seq)
    const state = nextAt === null ? 'undelivered' : 'waiting'
    await row.set({ problem, tries: tries + 1, state }).execute()
    // Meanwhile an older one may have been put before it.
    await row.set({ next_at: nextAt }).where('next_at', 'is not', null).execute()
    await this.#advance(subscriber, subject)
  }

  /** Those that were given up, behind `after`, the oldest first. */
  async undelivered(subscriber: string, after: number, limit: number): Promise<readonly Notice[]> {
    const rows = await this.#db
      .selectFrom('notices')
      .selectAll()
      .where('subscriber', '=', subscriber)
      .where('state', '=', 'undelivered')
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(limit)
      .execute()
    return rows.map(fromRow)
  }

  /**
   * Lets those that were given up, and those that wait for their next try, be tried at once.
   * @param id of one of them, which those before it of its subject hold up no longer; null for all
   * @returns how many there are
   */
  async tryAgain(subscriber: string, id: string | null): Promise<number> {
    let those = this.#db.updateTable('notices').where('subscriber', '=', subscriber)
    if (id !== null) those = those.where('id', '=', id)
    const rows = await those
      .set({ state: 'waiting', tries: 0, give_up_at: this.#now() + triedFor })
      .returning('subject')
      .execute()
    await this.#lineUp(subscriber, id === null ? null : rows.map(({ subject }) => subject))
    return rows.length
  }

  /** @param subjects null for all */
  async #lineUp(subscriber: string, subjects: readonly string[] | null): Promise<void> {
    let waiting = this.#db
      .updateTable('notices')
      .where('subscriber', '=', subscriber)
      .where('state', '=', 'waiting')
    if (subjects) waiting = waiting.where('subject', 'in', ['', ...subjects])
    await waiting.set({ next_at: null }).execute()
    await waiting
      .set({ next_at: this.#now() })
      .where('seq', 'in', (from) =>
        from
          .selectFrom('notices')
          .select((is) => is.fn.min('seq').as('seq'))
          .where('subscriber', '=', subscriber)
          .where('state', '=', 'waiting')
          .groupBy('subject'),
      )
      .execute()
  }

  /** Forgets what is for nobody any more; returns how many. */
  async keepOnly(subscribers: readonly string[]): Promise<number> {
    const { numDeletedRows } = await this.#db
      .deleteFrom('notices')
      .where('subscriber', 'not in', ['', ...subscribers])
      .executeTakeFirst()
    return Number(numDeletedRows)
  }

  async backlog(subscriber: string): Promise<Backlog> {
    const counts = await this.#db
      .selectFrom('notices')
      .select((is) => ['state', is.fn.countAll<number>().as('count')])
      .where('subscriber', '=', subscriber)
      .groupBy('state')
      .execute()
    const count = (wanted: string) => counts.find(({ state }) => state === wanted)?.count ?? 0
    const oldest = await this.#db
      .selectFrom('notices')
      .select('at')
      .where('subscriber', '=', subscriber)
      .where('state', '=', 'waiting')
      .orderBy('seq')
      .limit(1)
      .executeTakeFirst()
    return {
      waiting: count('waiting'),
      undelivered: count('undelivered'),
      oldest: oldest?.at ?? null,
    }
  }
}

function fromRow(row: Selectable<NoticeTable>): Notice {
  const { seq, id, subscriber, type, subject, at, tries, give_up_at: giveUpAt, problem } = row
  const note = noteText.safeParse(row.note).data ?? null
  return { seq, id, subscriber, type, subject, note, at, tries, giveUpAt, problem }
}
