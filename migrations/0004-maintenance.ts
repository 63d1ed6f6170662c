import { sql, type Kysely } from 'kysely'

/**
 * What keeps the storage sound: blobs that were found damaged, runs of the collection and the scrub, and single facts about
 * the catalog itself.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('blobs').addColumn('damage', 'text').execute()
  await db.schema
    .alterTable('blobs')
    .addColumn('writes', 'integer', (column) => column.notNull().defaultTo(1))
    .execute()
  await db.schema
    .createIndex('blobs_damaged')
    .on('blobs')
    .column('digest')
    .where(sql.ref('damage'), 'is not', null)
    .execute()
  await db.schema
    .alterTable('jobs')
    .addColumn('staged', 'bigint', (column) => column.notNull().defaultTo(0))
    .execute()
  await db.schema
    .createTable('maintenance_runs')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('options', 'text', (column) => column.notNull())
    .addColumn('progress', 'text', (column) => column.notNull())
    .addColumn('message', 'text', (column) => column.notNull())
    .addColumn('started_at', 'bigint', (column) => column.notNull())
    .addColumn('finished_at', 'bigint')
    .execute()
  await db.schema
    .createIndex('maintenance_runs_by_kind')
    .on('maintenance_runs')
    .columns(['kind', 'started_at'])
    .execute()
  await db.schema
    .createTable('facts')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('value', 'text', (column) => column.notNull())
    .execute()
  // Records in the store that may be behind what is committed here.
  await db.schema
    .createTable('record_debts')
    .addColumn('key', 'text', (column) => column.primaryKey())
    .execute()
  // What is being deleted is read in pages by digest.
  await db.schema.dropIndex('blobs_by_state').execute()
  await db.schema.createIndex('blobs_by_state').on('blobs').columns(['state', 'digest']).execute()
}
