import type { Kysely } from 'kysely'

/**
 * What lets a transfer go on where it stopped: what makes the bytes of a source the same bytes; how many an upload has in
 * all, how many of them are here, and the checksums that its client has told.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('jobs').addColumn('version', 'text').execute()
  await db.schema.alterTable('uploads').addColumn('length', 'bigint').execute()
  await db.schema
    .alterTable('uploads')
    .addColumn('offset', 'bigint', (column) => column.notNull().defaultTo(0))
    .execute()
  await db.schema.alterTable('uploads').addColumn('checksums', 'text').execute()
  // Where its bytes come from: hosts share the slots among them.
  await db.schema
    .alterTable('jobs')
    .addColumn('origin', 'text', (column) => column.notNull().defaultTo(''))
    .execute()
}
