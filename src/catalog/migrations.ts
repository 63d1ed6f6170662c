import { readdir } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Kysely } from 'kysely'
import { Migrator, type Migration, type MigrationProvider } from 'kysely/migration'
import { Bug, Refusal } from '../errors.ts'
import type { Schema } from './schema.ts'

/** The folder lies beside `src/`, in a checkout and in a published package. */
const folder = fileURLToPath(new URL('../../migrations/', import.meta.url))

/**
 * Brings a catalog to this program's schema.
 * @throws Refusal when a newer program has written it
 */
export async function migrate(db: Kysely<Schema>): Promise<void> {
  const files = new MigrationFiles()
  const known = Object.keys(await files.getMigrations())
  const migrator = new Migrator({ db, provider: files })
  const unknown = (await namesIn(db)).filter((name) => !known.includes(name))
  if (unknown.length > 0) {
    throw new Refusal(
      'UNSUPPORTED',
      `the catalog was written by a newer Slipway (its schema has ${unknown.join(', ')}); start that version or a newer one, or restore a backup`,
    )
  }
  const { error } = await migrator.migrateToLatest()
  if (error) throw new Bug('the catalog could not be brought to the present schema', error)
}

async function namesIn(db: Kysely<Schema>): Promise<readonly string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some((table) => table.name === 'kysely_migration')) return []
  const rows = await db
    .withTables<{ kysely_migration: { name: string } }>()
    .selectFrom('kysely_migration')
    .select('name')
    .execute()
  return rows.map((row) => row.name)
}

class MigrationFiles implements MigrationProvider {
  async getMigrations(): Promise<Record<string, Migration>> {
    const files = (await readdir(folder)).filter((file) => /^\d{4}-[a-z-]+\.(?:ts|js)$/.test(file))
    const migrations = await Promise.all(
      files.map(async (file) => [basename(file, extname(file)), await load(file)] as const),
    )
    return Object.fromEntries(migrations)
  }
}

async function load(file: string): Promise<Migration> {
  const module: unknown = await import(pathToFileURL(join(folder, file)).href)
  if (isMigration(module)) return module
  throw new Bug(`migrations/${file} has no function up`)
}

function isMigration(module: unknown): module is Migration {
  return typeof module === 'object' && module !== null && 'up' in module
}
