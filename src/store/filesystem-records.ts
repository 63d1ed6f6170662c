import { randomUUID } from 'node:crypto'
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, sep } from 'node:path'
import { Bug, errno } from '../errors.ts'
import { makeFolders, removeEmptyFolders, syncFolder } from './folders.ts'
import { strayAt } from './filesystem-strays.ts'
import type { Records, Stray } from './store.ts'

/** Records being written lie in this folder: no key begins with a dot. */
const unfinished = '.new'
/** Earlier versions wrote them beside their places, under names that begin so. */
const unfinishedBefore = '.new-'

/** One small file a record: written aside, synced, renamed, its folder synced. */
export class FilesystemRecords implements Records {
  readonly #folder: string
  readonly #aside: string

  constructor(folder: string) {
    this.#folder = folder
    this.#aside = join(folder, unfinished)
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(key)
    const aside = await writeAside(this.#aside, bytes)
    try {
      await giveName(aside, path)
    } catch (error) {
      await rm(aside, { force: true })
      throw error
    }
    await syncFolder(dirname(path))
  }

  /** A folder is one service's at a time (`lockFolder`): nobody comes in between. */
  async putNew(key: string, bytes: Uint8Array): Promise<boolean> {
    if ((await this.read(key)) !== null) return false
    await this.put(key, bytes)
    return true
  }

  async read(key: string): Promise<Uint8Array | null> {
    try {
      return await readFile(this.#path(key))
    } catch (error) {
      if (errno(error) === 'ENOENT') return null
      throw error
    }
  }

  async remove(key: string): Promise<void> {
    const path = this.#path(key)
    try {
      await rm(path)
    } catch (error) {
      if (errno(error) === 'ENOENT') return
      throw error
    }
    await syncFolder(dirname(path))
    await removeEmptyFolders(dirname(path), this.#folder)
  }

  async *list(prefix: string): AsyncIterable<string> {
    for await (const path of filesBelow(this.#path(prefix))) {
      const key = relative(this.#folder, path)
      if (!isUnfinished(key)) yield key
    }
  }

  /** What was being written before a time and never got its name. */
  async *strays(before: number): AsyncIterable<Stray> {
    for await (const path of filesBelow(this.#folder)) {
      if (!isUnfinished(relative(this.#folder, path))) continue
      const found = await statOrNull(path)
      if (found && found.mtimeMs < before) yield strayAt(path, found)
    }
  }

  /** Removes what a crash left half-written. To be called before anything is put. */
  async sweep(): Promise<void> {
    await rm(this.#aside, { recursive: true, force: true })
  }

  /** Keys are made of checked repository names, tags and digests; a dot segment can only be our mistake. */
  #path(key: string): string {
    if (key.split('/').some((part) => part === '.' || part === '..')) {
      throw new Bug(`"${key}" is no record key`)
    }
    return join(this.#folder, key)
  }
}

/** How often a folder may vanish, because its last record was removed, just before it gets a new one. */
const tries = 5

async function writeAside(folder: string, bytes: Uint8Array): Promise<string> {
  await makeFolders(folder)
  const path = join(folder, randomUUID())
  try {
    await writeSynced(path, bytes)
    return path
  } catch (error) {
    await rm(path, { force: true })
    throw error
  }
}

async function giveName(aside: string, path: string): Promise<void> {
  for (let left = tries; ; left -= 1) {
    try {
      await makeFolders(dirname(path))
      return await rename(aside, path)
    } catch (error) {
      if (errno(error) !== 'ENOENT' || left === 0) throw error
    }
  }
}

function isUnfinished(key: string): boolean {
  return key.startsWith(`${unfinished}${sep}`) || basename(key).startsWith(unfinishedBefore)
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, 'wx')
  await file.writeFile(bytes)
  await file.sync()
}

/** Null for one that has got its name meanwhile. */
async function statOrNull(path: string) {
  try {
    return await stat(path)
  } catch (error) {
    if (errno(error) === 'ENOENT') return null
    throw error
  }
}

/** Folder by folder: of all records together there may be more than memory is for. */
async function* filesBelow(folder: string): AsyncGenerator<string> {
  const entries = await entriesOf(folder)
  for (const entry of entries) if (entry.isFile()) yield join(folder, entry.name)
  for (const entry of entries) if (entry.isDirectory()) yield* filesBelow(join(folder, entry.name))
}

async function entriesOf(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true })
  } catch (error) {
    if (errno(error) === 'ENOENT') return []
    throw error
  }
}
