import { existsSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import Sqlite from 'better-sqlite3'
import { z } from 'zod'
import { Refusal } from '../errors.ts'

const rows = z.tuple([z.object({ quick_check: z.string() })])

/**
 * Reads every page of a catalog, through a connection of its own, and holds up whoever calls it meanwhile.
 * @param path of a file that may be missing
 * @returns what is wrong with it; null when nothing is
 */
export function quickCheck(path: string): string | null {
  if (!existsSync(path)) return null
  try {
    using database = closing(new Sqlite(path, { readonly: true }))
    const [{ quick_check: answer }] = rows.parse(database.pragma('quick_check(1)'))
    return answer === 'ok' ? null : firstLine(answer)
  } catch (error) {
    const damage = damageOf(error)
    if (damage === null) throw error
    return damage
  }
}

/** What SQLite says of a file that is damaged or no database at all; null for every other error. */
export function damageOf(error: unknown): string | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (!(cause instanceof Sqlite.SqliteError)) continue
    if (/^SQLITE_(?:NOTADB|CORRUPT)/.test(cause.code)) return cause.message
  }
  return null
}

/** What to do about a catalog that is damaged. */
export const wayOut =
  'stop Slipway and run "slipway rebuild", which makes it again from the storage, or put a backup in its place'

/** The error itself, or that a catalog is damaged, with the way out. */
export function unlessDamaged(error: unknown, path: string): unknown {
  const damage = damageOf(error)
  if (damage === null) return error
  return new Refusal('UNSUPPORTED', `the catalog ${path} is damaged (${damage}); ${wayOut}`, {
    cause: error,
  })
}

/**
 * Renames a catalog with what belongs to it. No connection may be open.
 * @returns its new path
 */
export async function moveAside(path: string, why: 'damaged' | 'other', now: number) {
  const stamp = new Date(now).toISOString().replace(/[:.]/g, '-')
  const aside = `${path}.${why}-${stamp}`
  // The log first: the database alone is older, and looks sound.
  for (const end of ['-wal', '-shm', '']) {
    if (existsSync(path + end)) await rename(path + end, aside + end)
  }
  await using folder = await open(dirname(path), 'r')
  await folder.sync()
  return aside
}

export function closing(database: Sqlite.Database): Sqlite.Database & Disposable {
  return Object.assign(database, { [Symbol.dispose]: () => void database.close() })
}

function firstLine(text: string): string {
  return text.split('\n').find((line) => !line.startsWith('***')) ?? text
}
