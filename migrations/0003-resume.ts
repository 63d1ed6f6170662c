import { sql, type Kysely } from 'kysely'
import { z } from 'zod'

/**
 * What lets a transfer go on where it stopped: what makes the bytes of a source the same bytes, and how many there are; how
 * many an upload has in all, how many of them are here, and the checksums that its client has told.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('jobs').addColumn('version', 'text').execute()
  await db.schema.alterTable('jobs').addColumn('size', 'bigint').execute()
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
  await shortCuts(db)
}

/** By what images are found whose bytes need not be fetched again. */
async function shortCuts(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('jobs').addColumn('known_uid', 'text').execute()
  await db.schema
    .alterTable('images')
    .addColumn('sealed_query', sql`blob`)
    .execute()
  for (const column of ['url_key', 'source_sha256']) {
    await db.schema.alterTable('images').addColumn(column, 'text').execute()
    await db.schema.createIndex(`images_by_${column}`).on('images').column(column).execute()
  }
  const { rows } = await sql<{
    uid: string
    stored: string
  }>`select uid, stored from images where stored is not null`.execute(db)
  for (const { uid, stored } of rows) {
    const { source } = storedSchema.parse(JSON.parse(stored))
    await sql`update images set source_sha256 = ${source.sha256} where uid = ${uid}`.execute(db)
  }
}

const storedSchema = z.object({ source: z.object({ sha256: z.string() }) })
