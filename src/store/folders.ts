import { mkdir, open, rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errno } from '../errors.ts'

/** A file that was created or renamed is only sure to be found after a power cut once its folder was synced. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}

/**
 * Folders that a power cut may take, because the sync of what they lie in is under way or has failed: whoever finds one there
 * may not rely on it.
 */
const unsynced = new Set<string>()

/** Creates a folder and those above it, and syncs each folder that got a new entry, by whomever. */
export async function makeFolders(path: string): Promise<void> {
  await make(path)
  for (const entry of [...unsynced].filter((made) => path.startsWith(made))) {
    await syncFolder(dirname(entry))
    unsynced.delete(entry)
  }
}

/** Not by `recursive`, with which Node says ENOENT of a disk that is broken or read-only. */
async function make(path: string): Promise<void> {
  try {
    await makeOne(path)
  } catch (error) {
    if (errno(error) !== 'ENOENT' || dirname(path) === path) throw error
    await make(dirname(path))
    await makeOne(path)
  }
}

async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path)
    unsynced.add(path)
  } catch (error) {
    if (errno(error) !== 'EEXIST') throw error
  }
}

/** Removes a folder and those above it up to `top`, as long as they are empty. */
export async function removeEmptyFolders(path: string, top: string): Promise<void> {
  for (let folder = path; folder.length > top.length; folder = dirname(folder)) {
    try {
      await rmdir(folder)
    } catch (error) {
      const code = errno(error)
      if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOENT') return
      throw error
    }
  }
}
