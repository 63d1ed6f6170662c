import type { Kysely } from 'kysely'
import type { Schema } from './schema.ts'

/** Single facts about the catalog itself, by name. */
export class CatalogFacts {
  readonly #db: Kysely<Schema>

  constructor(db: Kysely<Schema>) {
    this.#db = db
  }

  async read(name: string): Promise<string | null> {
    const row = await this.#db
      .selectFrom('facts')
      .select('value')
      .where('name', '=', name)
      .executeTakeFirst()
    return row?.value ?? null
  }

  async write(name: string, value: string): Promise<void> {
    await this.#db
      .insertInto('facts')
      .values({ name, value })
      .onConflict((is) => is.column('name').doUpdateSet({ value }))
      .execute()
  }

  async remove(name: string): Promise<void> {
    await this.#db.deleteFrom('facts').where('name', '=', name).execute()
  }
}
