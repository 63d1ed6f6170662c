import { randomUUID } from 'node:crypto'
import { link, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { errno, Refusal } from '../errors.ts'
import { closing, quickCheck, unlessDamaged } from './soundness.ts'

/** The fact by which a catalog says that it is a copy of another time: what came since is unknown to it. */
export const backupFact = 'backup-of'

/** Of a copy that is being made, with what SQLite puts beside it. */
const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}(-journal|-wal|-shm)?$/
/** Milliseconds without a write after which nobody is at work on such a copy. */
const abandoned = 3_600_000

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
  await removeOld(to)
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

/** What another backup, which may still run, is writing to is left alone. */
async function removeOld(to: string): Promise<void> {
  const beginning = `${basename(to)}.new-`
  for (const name of await readdir(dirname(to))) {
    if (!name.startsWith(beginning) || !uuid.test(name.slice(beginning.length))) continue
    const path = join(dirname(to), name)
    const written = await stat(path).then(({ mtimeMs }) => mtimeMs, whenGone)
    if (Date.now() - written > abandoned) await rm(path, { force: true })
  }
}

/** Somebody else has removed it, or given it its name. */
function whenGone(error: unknown): number {
  if (errno(error) === 'ENOENT') return Infinity
  throw error
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
