import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { Kysely, SqliteDialect } from 'kysely'
import { Migrator, type Migration } from 'kysely/migration'
import { z } from 'zod'

const folder = join(import.meta.dirname, '..', '..', 'migrations')
const moduleSchema = z.object({ up: z.custom<Migration['up']>((up) => typeof up === 'function') })

/** As many schemas as there ever were. */
export async function schemas(): Promise<number> {
  return (await files()).length
}

/**
 * Writes a catalog as an earlier version kept it, with what this version's knows and that one could know.
 * @param from a catalog of this version that nobody uses
 * @param count how many migrations that version had
 * @param more images that Failed, so that there is something to do
 */
export async function writeOldCatalog(from: string, to: string, count: number, more = 3000) {
  const names = (await files()).slice(0, count)
  await using db = new Kysely<unknown>({
    dialect: new SqliteDialect({ database: new Sqlite(to) }),
  })
  const provider = { getMigrations: async () => Object.fromEntries(await modulesOf(names)) }
  const { error } = await new Migrator({ db, provider }).migrateToLatest()
  if (error) throw new Error(`the catalog with ${count} migrations`, { cause: error })
  fill(from, to, more)
}

async function files(): Promise<readonly string[]> {
  return (await readdir(folder)).filter((name) => /^\d{4}-.*\.ts$/.test(name)).toSorted()
}

async function modulesOf(names: readonly string[]) {
  return await Promise.all(
    names.map(async (name) => {
      const module: unknown = await import(join(folder, name))
      return [name.replace('.ts', ''), moduleSchema.parse(module)] as const
    }),
  )
}

function fill(from: string, to: string, more: number): void {
  const database = new Sqlite(to)
  try {
    database.pragma('journal_mode = wal')
    database.prepare('attach ? as newer').run(from)
    const tables = `select name from sqlite_master where type = 'table' and name not like 'kysely%'
      and name not like 'sqlite%'`
    for (const table of database.prepare(tables).pluck().all()) copy(database, String(table))
    const columns = columnsOf(database, 'main', 'images').filter((name) => !own.has(name))
    const add = database.prepare(
      `insert into images (uid, name, phase, stored, ${columns.join()})
        select ?, ?, 'Failed', null, ${columns.join()} from images limit 1`,
    )
    database.transaction(() => {
      for (let n = 0; n < more; n += 1) add.run(`more-${n}`, `more-${n}`)
    })()
  } finally {
    database.close()
  }
}

/** What is another one for each image. */
const own = new Set(['uid', 'name', 'phase', 'stored', 'source_sha256', 'url_key', 'seq'])

function copy(database: Sqlite.Database, table: string): void {
  const newer = columnsOf(database, 'newer', table)
  const both = columnsOf(database, 'main', table).filter((name) => newer.includes(name))
  if (both.length === 0) return
  database.exec(`insert into main.${table} (${both.join()})
    select ${both.join()} from newer.${table}`)
}

function columnsOf(database: Sqlite.Database, schema: string, table: string): readonly string[] {
  const names = database.prepare(`select name from pragma_table_info(?, ?)`).pluck()
  return names.all(table, schema).map(String)
}
