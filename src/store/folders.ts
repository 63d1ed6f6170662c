import { mkdir, open, rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errno } from '../errors.ts'

/** A file that was created or renamed is only sure to be found after a power cut once its folder was synced. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}

/** Creates a folder and those above it, and syncs each folder that got a new entry. */
export async function makeFolders(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true })
  if (first === undefined) return
  for (let folder = path; folder.length >= first.length; folder = dirname(folder)) {
    await syncFolder(dirname(folder))
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
