import type { Kysely } from 'kysely'
import type { Schema } from './schema.ts'

/** How many events are kept; who asks for older ones is told to begin again. */
const kept = 10_000

/** What happened to an image, at which place of the order of all that happened. */
export type Happening = {
  readonly seq: number
  readonly kind: 'image' | 'deleted'
  readonly name: string
  readonly uid: string
}

/** What happened to images, in order. Written in the transaction that made it happen. */
export class Events {
  readonly #db: Kysely<Schema>
  readonly #now: () => number
  readonly #happened: Happening[]

  /** @param happened collects what to announce once the transaction is committed */
  constructor(db: Kysely<Schema>, now: () => number, happened: Happening[]) {
    this.#db = db
    this.#now = now
    this.#happened = happened
  }

  async append(
    kind: Happening['kind'],
    { uid, name }: { readonly uid: string; readonly name: string },
  ): Promise<void> {
    const { seq } = await this.#db
      .insertInto('events')
      .values({ kind, image_name: name, image_uid: uid, at: this.#now() })
      .returning('seq')
      .executeTakeFirstOrThrow()
    await this.#db
      .deleteFrom('events')
      .where('seq', '<=', seq - kept)
      .execute()
    this.#happened.push({ seq, kind, name, uid })
  }

  /** What came after `seq` up to and including `last`, in order, at most `limit` of it. */
  async after(seq: number, last: number, limit: number): Promise<readonly Happening[]> {
    return await this.#db
      .selectFrom('events')
      .select(['seq', 'kind', 'image_name as name', 'image_uid as uid'])
      .where('seq', '>', seq)
      .where('seq', '<=', last)
      .orderBy('seq')
      .limit(limit)
      .execute()
  }

  /** The sequence of the oldest that is kept, null without any. */
  async oldest(): Promise<number | null> {
    return await this.#edge('asc')
  }

  /** Of the newest; as the other readings it may see what is not on the disk yet. */
  async newest(): Promise<number | null> {
    return await this.#edge('desc')
  }

  async #edge(direction: 'asc' | 'desc'): Promise<number | null> {
    const row = await this.#db
      .selectFrom('events')
      .select('seq')
      .orderBy('seq', direction)
      .limit(1)
      .executeTakeFirst()
    return row?.seq ?? null
  }
}
