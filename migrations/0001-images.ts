import { sql, type Kysely } from 'kysely'

/** Images and what they are made of. Forward only: a table is changed by a further file. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await images(db)
  await blobs(db)
  await registry(db)
  await work(db)
}

async function images(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('images')
    .addColumn('uid', 'text', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull().unique())
    .addColumn('generation', 'integer', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('owner_uid', 'text')
    .addColumn('data_source', 'text', (column) => column.notNull())
    .addColumn('refers_to', 'text')
    .addColumn('secrets', sql`blob`)
    .addColumn('had_secrets', 'integer', (column) => column.notNull())
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('phase', 'text', (column) => column.notNull())
    .addColumn('ready_reason', 'text', (column) => column.notNull())
    .addColumn('ready_message', 'text', (column) => column.notNull())
    .addColumn('ready_since', 'bigint', (column) => column.notNull())
    .addColumn('source_reason', 'text', (column) => column.notNull())
    .addColumn('source_message', 'text', (column) => column.notNull())
    .addColumn('source_since', 'bigint', (column) => column.notNull())
    .addColumn('retries', 'integer', (column) => column.notNull())
    .addColumn('next_retry_at', 'bigint')
    .addColumn('stored', 'text')
    .addColumn('format', 'text')
    .addColumn('manifest_digest', 'text')
    .execute()
  await db.schema.createIndex('images_by_reference').on('images').column('refers_to').execute()
  await db.schema.createIndex('images_by_phase').on('images').columns(['phase', 'name']).execute()
}

async function blobs(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('blobs')
    .addColumn('digest', 'text', (column) => column.primaryKey())
    .addColumn('size', 'bigint', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute()
  await db.schema.createIndex('blobs_by_state').on('blobs').column('state').execute()
  await db.schema
    .createTable('leases')
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('holder', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('leases_key', ['digest', 'holder'])
    .execute()
  await db.schema.createIndex('leases_by_holder').on('leases').column('holder').execute()
  await db.schema.createIndex('leases_by_end').on('leases').column('expires_at').execute()
}

async function registry(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('manifests')
    .addColumn('repository', 'text', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('media_type', 'text', (column) => column.notNull())
    .addColumn('size', 'bigint', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('manifests_key', ['repository', 'digest'])
    .execute()
  await db.schema
    .createTable('tags')
    .addColumn('repository', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('tags_key', ['repository', 'name'])
    .execute()
  await db.schema
    .createTable('blob_references')
    .addColumn('repository', 'text', (column) => column.notNull())
    .addColumn('manifest', 'text', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('blob_references_key', ['repository', 'manifest', 'digest'])
    .execute()
  await db.schema
    .createIndex('blob_references_by_digest')
    .on('blob_references')
    .columns(['digest', 'repository'])
    .execute()
}

async function work(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('uploads')
    .addColumn('token_hash', 'text', (column) => column.primaryKey())
    .addColumn('image_uid', 'text', (column) => column.notNull())
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'bigint')
    .execute()
  await db.schema.createIndex('uploads_by_image').on('uploads').column('image_uid').execute()
  await db.schema.createIndex('uploads_by_end').on('uploads').column('expires_at').execute()
  await db.schema
    .createTable('jobs')
    .addColumn('image_uid', 'text', (column) => column.primaryKey())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('run_after', 'bigint', (column) => column.notNull())
    .addColumn('retry_until', 'bigint')
    .addColumn('owner', 'text')
    .addColumn('lease_until', 'bigint')
    .addColumn('progress', 'integer', (column) => column.notNull())
    .execute()
  await db.schema
    .createIndex('jobs_by_turn')
    .on('jobs')
    .columns(['run_after', 'created_at'])
    .execute()
  await db.schema
    .createTable('events')
    .addColumn('seq', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('image_name', 'text', (column) => column.notNull())
    .addColumn('image_uid', 'text', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .execute()
}
