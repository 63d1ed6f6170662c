import { open, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { makeFolders } from '../../../src/store/folders.ts'
import { temporaryFolder } from '../../support/temporary.ts'

/** Counts syncs, and fails the first of them as a broken disk does. */
async function breakingSync(folder: string) {
  await using file = await open(folder, 'r')
  const prototype: Pick<FileHandle, 'sync'> = Object.getPrototypeOf(file)
  const error = Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' })
  return vi.spyOn(prototype, 'sync').mockRejectedValueOnce(error)
}

describe('folders', () => {
  test('are made with those above them, whoever makes them at the same time', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'a/b/c')
    await Promise.all([makeFolders(path), makeFolders(path), makeFolders(join(path, 'd'))])
    expect((await stat(join(path, 'd'))).isDirectory()).toBe(true)
  })

  test('whose sync has failed are synced by whoever needs them next', async () => {
    await using folder = await temporaryFolder()
    using sync = await breakingSync(folder.path)
    await expect(makeFolders(join(folder.path, 'a'))).rejects.toThrow(/EIO/)
    const before = sync.mock.calls.length
    await makeFolders(join(folder.path, 'a'))
    expect(sync.mock.calls.length).toBe(before + 1)
    await makeFolders(join(folder.path, 'a'))
    expect(sync.mock.calls.length).toBe(before + 1)
  })

  // By itself Node looks for `/proc/nope` for ever, once it has been told that it cannot be made.
  test('that cannot be made where they are to be are refused at once', async () => {
    await expect(makeFolders('/proc/nope')).rejects.toThrow(/ENOENT/)
    await expect(makeFolders('/proc/nope/deeper')).rejects.toThrow(/ENOENT/)
  })
})
