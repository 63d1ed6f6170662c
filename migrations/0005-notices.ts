import type { Kysely } from 'kysely'

/** What is still to be told to others, and what could not be: a row for each subscriber that an event is for. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('notices')
    .addColumn('seq', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('subscriber', 'text', (column) => column.notNull())
    .addColumn('type', 'text', (column) => column.notNull())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('note', 'text', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('tries', 'integer', (column) => column.notNull())
    .addColumn('next_at', 'bigint')
    .addColumn('give_up_at', 'bigint', (column) => column.notNull())
    .addColumn('problem', 'text', (column) => column.notNull())
    .execute()
  await db.schema
    .createIndex('notices_by_subscriber')
    .on('notices')
    .columns(['subscriber', 'state', 'seq'])
    .execute()
  await db.schema
    .createIndex('notices_by_turn')
    .on('notices')
    .columns(['subscriber', 'state', 'next_at'])
    .execute()
  await db.schema
    .createIndex('notices_by_subject')
    .on('notices')
    .columns(['subscriber', 'state', 'subject', 'seq'])
    .execute()
  await db.schema.createIndex('notices_by_id').on('notices').columns(['subscriber', 'id']).execute()
}
