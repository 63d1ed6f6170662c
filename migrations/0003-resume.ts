import type { Kysely } from 'kysely'

/** What makes the bytes of a source the same bytes: an import goes on where it stopped while this stays. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('jobs').addColumn('version', 'text').execute()
}
