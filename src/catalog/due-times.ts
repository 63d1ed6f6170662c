import type { Kysely } from 'kysely'
import type { Schema } from './schema.ts'

/** All times that are held against the present one: until when something lasts, and since when it does. */
export class DueTimes {
  readonly #db: Kysely<Schema>

  constructor(db: Kysely<Schema>) {
    this.#db = db
  }

  /**
   * Keeps what is left of each of them when the clock is set by so many milliseconds, so that nothing ends early and nothing
   * waits for longer. When something happened stays as it was told, but for the runs that the next ones are counted from. To be
   * called in a transaction.
   */
  async move(by: number): Promise<void> {
    const db = this.#db
    await db
      .updateTable('uploads')
      .set((is) => ({ expires_at: is('expires_at', '+', by) }))
      .where('expires_at', 'is not', null)
      .execute()
    await db
      .updateTable('jobs')
      .set((is) => ({
        run_after: is('run_after', '+', by),
        retry_until: is('retry_until', '+', by),
        lease_until: is('lease_until', '+', by),
      }))
      .execute()
    await db
      .updateTable('leases')
      .set((is) => ({
        expires_at: is('expires_at', '+', by),
        granted_at: is('granted_at', '+', by),
      }))
      .execute()
    await db
      .updateTable('push_sessions')
      .set((is) => ({ touched_at: is('touched_at', '+', by) }))
      .execute()
    await this.#moveNotices(by)
    await db
      .updateTable('maintenance_runs')
      .set((is) => ({
        started_at: is('started_at', '+', by),
        finished_at: is('finished_at', '+', by),
      }))
      .execute()
  }

  async #moveNotices(by: number): Promise<void> {
    await this.#db
      .updateTable('notices')
      .set((is) => ({ next_at: is('next_at', '+', by), give_up_at: is('give_up_at', '+', by) }))
      .where('state', '=', 'waiting')
      .execute()
  }
}
