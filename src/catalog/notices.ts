import { randomUUID } from 'node:crypto'
import type { ExpressionBuilder, Kysely, Selectable } from 'kysely'
import { noteText } from './noted.ts'
import type { Note } from './notepad.ts'
import type { NoticeTable, Schema } from './schema.ts'

/** As many are kept for one subscriber; beyond that the oldest go. Some 30 MB when all of them are of images. */
const mostKept = 10_000
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
  readonly note: Note
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

  constructor(db: Kysely<Schema>, now: () => number) {
    this.#db = db
    this.#now = now
  }

  /** Writes down what a transaction has to tell; to be called at its end. */
  async write(notes: readonly Note[], wanting: Wanting): Promise<Written> {
    const subscribers = new Set<string>()
    for (const note of notes) {
      const id = randomUUID()
      for (const subscriber of wanting(note)) {
        await this.#add(subscriber, id, note)
        subscribers.add(subscriber)
      }
    }
    const dropped = new Map<string, number>()
    for (const subscriber of subscribers) {
      const count = await this.#dropOldest(subscriber)
      if (count > 0) dropped.set(subscriber, count)
    }
    return { subscribers, dropped }
  }

  async #add(subscriber: string, id: string, note: Note): Promise<void> {
    const at = this.#now()
    const { type, subject } = note
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
        next_at: at,
        give_up_at: at + triedFor,
        problem: '',
      })
      .execute()
  }

  async #dropOldest(subscriber: string): Promise<number> {
    const { numDeletedRows } = await this.#db
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
      .executeTakeFirst()
    return Number(numDeletedRows)
  }

  /**
   * The oldest whose turn has come: nothing older of the same subject waits, so that each image and each repository is told
   * of in order.
   * @param flying those that are under way
   */
  async due(subscriber: string, flying: readonly number[]): Promise<Notice | null> {
    const row = await this.#heads(subscriber, flying)
      .selectAll()
      .where('next_at', '<=', this.#now())
      .orderBy('seq')
      .limit(1)
      .executeTakeFirst()
    return row ? fromRow(row) : null
  }

  /** When `due` has something next, null without anything. */
  async nextTurn(subscriber: string, flying: readonly number[]): Promise<number | null> {
    const row = await this.#heads(subscriber, flying)
      .select((is) => is.fn.min<number | null>('next_at').as('next'))
      .executeTakeFirst()
    return row?.next ?? null
  }

  #heads(subscriber: string, flying: readonly number[]) {
    return this.#db
      .selectFrom('notices')
      .where('subscriber', '=', subscriber)
      .where('state', '=', 'waiting')
      .where('seq', 'not in', [0, ...flying])
      .where((is) => is.not(hasOlder(is)))
  }

  async delivered(seq: number): Promise<void> {
    await this.#db.deleteFrom('notices').where('seq', '=', seq).execute()
  }

  /** @param nextAt when it is tried again, null when it is not */
  async failed({ seq, tries }: Notice, problem: string, nextAt: number | null): Promise<void> {
    await this.#db
      .updateTable('notices')
      .set({
        problem,
        tries: tries + 1,
        ...(nextAt === null ? { state: 'undelivered' } : { next_at: nextAt }),
      })
      .where('seq', '=', seq)
      .execute()
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
   * @param id of one of them, null for all
   * @returns how many there are
   */
  async tryAgain(subscriber: string, id: string | null): Promise<number> {
    const now = this.#now()
    let query = this.#db
      .updateTable('notices')
      .set({ state: 'waiting', tries: 0, next_at: now, give_up_at: now + triedFor })
      .where('subscriber', '=', subscriber)
    if (id !== null) query = query.where('id', '=', id)
    const { numUpdatedRows } = await query.executeTakeFirst()
    return Number(numUpdatedRows)
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

/** Whether something older of the row's subject waits. */
function hasOlder(is: ExpressionBuilder<Schema, 'notices'>) {
  const older = is
    .selectFrom('notices as older')
    .select('older.seq')
    .whereRef('older.subscriber', '=', 'notices.subscriber')
    .whereRef('older.subject', '=', 'notices.subject')
    .whereRef('older.seq', '<', 'notices.seq')
    .where('older.state', '=', 'waiting')
  return is.exists(older)
}

function fromRow(row: Selectable<NoticeTable>): Notice {
  const { seq, id, subscriber, at, tries, give_up_at: giveUpAt, problem } = row
  return { seq, id, subscriber, note: noteText.parse(row.note), at, tries, giveUpAt, problem }
}
