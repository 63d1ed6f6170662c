import type { Kysely } from 'kysely'
import type { Schema } from './schema.ts'

/** How many events are kept; who asks for older ones is told to begin again. */
const kept = 10_000

/** What happened to images, in order. Written in the transaction that made it happen. */
export class Events {
  readonly #db: Kysely<Schema>
  readonly #now: () => number
  readonly #changed: Set<string>

  /** @param changed collects the names to announce once the transaction is committed */
  constructor(db: Kysely<Schema>, now: () => number, changed: Set<string>) {
    this.#db = db
    this.#now = now
    this.#changed = changed
  }

  async append(kind: 'image' | 'deleted', image: { uid: string; name: string }): Promise<void> {
    const { seq } = await this.#db
      .insertInto('events')
      .values({ kind, image_name: image.name, image_uid: image.uid, at: this.#now() })
      .returning('seq')
      .executeTakeFirstOrThrow()
    await this.#db
      .deleteFrom('events')
      .where('seq', '<=', seq - kept)
      .execute()
    this.#changed.add(image.name)
  }
}
