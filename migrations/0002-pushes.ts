import type { Kysely } from 'kysely'

/** What clients push: sessions, leases that let a repository read a blob, and manifests that refer to another one. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('leases').addColumn('repository', 'text').execute()
  await db.schema
    .alterTable('leases')
    .addColumn('granted_at', 'bigint', (column) => column.notNull().defaultTo(0))
    .execute()
  await db.schema
    .createIndex('leases_by_repository')
    .on('leases')
    .columns(['repository', 'digest'])
    .execute()
  await db.schema.alterTable('manifests').addColumn('subject', 'text').execute()
  await db.schema.alterTable('manifests').addColumn('artifact_type', 'text').execute()
  await db.schema.alterTable('manifests').addColumn('annotations', 'text').execute()
  await db.schema
    .createIndex('manifests_by_subject')
    .on('manifests')
    .columns(['repository', 'subject', 'digest'])
    .execute()
  await db.schema
    .createIndex('tags_by_digest')
    .on('tags')
    .columns(['repository', 'digest'])
    .execute()
  await db.schema
    .createTable('push_sessions')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('repository', 'text', (column) => column.notNull())
    .addColumn('algorithm', 'text', (column) => column.notNull())
    .addColumn('touched_at', 'bigint', (column) => column.notNull())
    .execute()
  await db.schema
    .createIndex('push_sessions_by_time')
    .on('push_sessions')
    .column('touched_at')
    .execute()
}
