import { randomUUID } from 'node:crypto'
import { link, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import Sqlite from 'better-sqlite3'
import { errno, Refusal } from '../errors.ts'
import { closing, quickCheck, unlessDamaged } from './soundness.ts'

/** The fact by which a catalog says that it is a copy of another time: what came since is unknown to it. */
export const backupFact = 'backup-of'

export type BackupOptions = {
  /** Of the catalog. */
  readonly path: string
  readonly to: string
  /** Whether a file that is there already is replaced. */
  readonly force: boolean
}

/**
 * Writes the catalog as it is at one moment into one file, whoever writes to it meanwhile: a reading transaction sees none of
 * what is committed after it and holds up no writer. (A page-by-page copy begins anew with each commit of another process
 * and might never end.) What was erased is not in it. The file has its name once it is whole, checked and on the disk.
 * @returns its size in bytes
 * @throws Refusal when there is no catalog, when it is damaged, and when the file is there already
 */
export async function backUp({ path, to, force }: BackupOptions): Promise<number> {
  if (!force && (await exists(to))) throw taken(to)
  if (!(await exists(path))) throw new Refusal('UNSUPPORTED', `there is no catalog at ${path}`)
  const aside = `${to}.new-${randomUUID()}`
  try {
    await copy(path, aside)
    await (force ? rename(aside, to) : giveName(aside, to))
    await syncFolderOf(to)
    return (await stat(to)).size
  } finally {
    await rm(aside, { force: true })
  }
}

/** Credentials lie in it, though sealed: only this user may read it. */
async function copy(path: string, aside: string): Promise<void> {
  await using file = await open(aside, 'wx', 0o600)
  try {
    using database = closing(new Sqlite(path, { fileMustExist: true }))
    database.prepare('vacuum into ?').run(aside)
  } catch (error) {
    throw unlessDamaged(error, path)
  }
  markAsBackup(aside)
  const damage = quickCheck(aside)
  if (damage !== null) {
    throw new Refusal('UNSUPPORTED', `the backup is damaged (${damage}); try another disk`)
  }
  // SQLite leaves that to whoever asked for the file.
  await file.sync()
}

function markAsBackup(aside: string): void {
  using database = closing(new Sqlite(aside, { fileMustExist: true }))
  const statement = database.prepare('insert or replace into facts (name, value) values (?, ?)')
  statement.run(backupFact, new Date().toISOString())
}

/** Unlike a rename this takes nobody's place. */
async function giveName(aside: string, to: string): Promise<void> {
  try {
    await link(aside, to)
  } catch (error) {
    if (errno(error) === 'EEXIST') throw taken(to)
    throw error
  }
}

function taken(to: string): Refusal {
  return new Refusal('UNSUPPORTED', `${to} is there already; give another name, or --force`)
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (errno(error) === 'ENOENT') return false
    throw error
  }
}

async function syncFolderOf(path: string): Promise<void> {
  await using folder = await open(dirname(path), 'r')
  await folder.sync()
}
