import type { Kysely } from 'kysely'
import { handfuls } from './handfuls.ts'
import type { Schema } from './schema.ts'

/** Keys of the store's records that may be behind the catalog: a change is committed here before it is written there. */
export class RecordDebts {
  readonly #db: Kysely<Schema>

  constructor(db: Kysely<Schema>) {
    this.#db = db
  }

  async add(keys: readonly string[]): Promise<void> {
    for (const some of handfuls(keys)) {
      await this.#db
        .insertInto('record_debts')
        .values(some.map((key) => ({ key })))
        .onConflict((is) => is.column('key').doNothing())
        .execute()
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const some of handfuls(keys)) {
      await this.#db.deleteFrom('record_debts').where('key', 'in', some).execute()
    }
  }

  async some(limit: number): Promise<readonly string[]> {
    const rows = await this.#db.selectFrom('record_debts').select('key').limit(limit).execute()
    return rows.map(({ key }) => key)
  }
}
