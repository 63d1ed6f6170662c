import type { Kysely } from 'kysely'
import { parseDigest, type Digest, type DigestAlgorithm } from '../image/digest.ts'
import type { Schema } from './schema.ts'

export type PushSession = {
  readonly id: string
  readonly repository: string
  readonly algorithm: DigestAlgorithm
}

/** Pushes of blobs that are under way, over any number of requests and restarts. */
export class PushSessions {
  readonly #db: Kysely<Schema>
  readonly #now: () => number

  constructor(db: Kysely<Schema>, now: () => number) {
    this.#db = db
    this.#now = now
  }

  async add(session: PushSession): Promise<void> {
    const touched_at = this.#now()
    await this.#db
      .insertInto('push_sessions')
      .values({ ...session, touched_at })
      .execute()
  }

  async byId(id: string): Promise<PushSession | null> {
    const row = await this.#db
      .selectFrom('push_sessions')
      .select(['id', 'repository', 'algorithm'])
      .where('id', '=', id)
      .executeTakeFirst()
    return row ?? null
  }

  /** Whether it is there still. */
  async touch(id: string): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable('push_sessions')
      .set({ touched_at: this.#now() })
      .where('id', '=', id)
      .executeTakeFirst()
    return numUpdatedRows > 0n
  }

  /** Whether there was one. */
  async remove(id: string): Promise<boolean> {
    const { numDeletedRows } = await this.#db
      .deleteFrom('push_sessions')
      .where('id', '=', id)
      .executeTakeFirst()
    return numDeletedRows > 0n
  }

  /**
   * Those that were cut off behind the announcement of their blob (`Blobs.reserve`), with its digest and size.
   * @param id of one of them; without it, all
   */
  async announced(
    id?: string,
  ): Promise<readonly { session: PushSession; digest: Digest; size: number }[]> {
    let query = this.#db
      .selectFrom('push_sessions')
      .innerJoin('leases', 'leases.holder', 'push_sessions.id')
      .innerJoin('blobs', 'blobs.digest', 'leases.digest')
      .select(['id', 'push_sessions.repository', 'algorithm', 'blobs.digest', 'size'])
      .where('leases.repository', 'is', null)
      .where('state', '=', 'present')
    if (id !== undefined) query = query.where('id', '=', id)
    const rows = await query.execute()
    return rows.map(({ digest, size, ...session }) => ({
      session,
      digest: parseDigest(digest),
      size,
    }))
  }

  async all(): Promise<readonly PushSession[]> {
    return await this.#db
      .selectFrom('push_sessions')
      .select(['id', 'repository', 'algorithm'])
      .execute()
  }

  /** @param repository of which; without it, of all */
  async count(repository?: string): Promise<number> {
    let query = this.#db
      .selectFrom('push_sessions')
      .select((is) => is.fn.countAll<number>().as('count'))
    if (repository !== undefined) query = query.where('repository', '=', repository)
    const row = await query.executeTakeFirst()
    return row?.count ?? 0
  }

  /** Those that nobody has touched for so many milliseconds, the longest first. */
  async idleFor(duration: number): Promise<readonly string[]> {
    const rows = await this.#db
      .selectFrom('push_sessions')
      .select('id')
      .where('touched_at', '<=', this.#now() - duration)
      .orderBy('touched_at')
      .execute()
    return rows.map((row) => row.id)
  }
}
