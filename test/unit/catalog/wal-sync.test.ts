import { copyFile, open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test, vi } from 'vitest'
import { Catalog } from '../../../src/catalog/catalog.ts'
import { closing } from '../../../src/catalog/soundness.ts'
import { newImage } from '../../support/catalog.ts'
import { temporaryFolder } from '../../support/temporary.ts'

async function withCatalog(work: (catalog: Catalog, path: string) => Promise<void>) {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'catalog.sqlite')
  await using catalog = await Catalog.open({ path, now: Date.now })
  await work(catalog, path)
}

const add = (catalog: Catalog, name: string) =>
  catalog.transaction(({ images }) => images.add(newImage(name)))

/** The next sync of any file fails as that of a broken disk does. */
async function failNextSync(path: string): Promise<void> {
  await using file = await open(path, 'r')
  const prototype: Pick<FileHandle, 'datasync'> = Object.getPrototypeOf(file)
  const error = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
  vi.spyOn(prototype, 'datasync').mockRejectedValueOnce(error)
}

describe('a sync of the log that failed', () => {
  test('fails the commit, and the next one brings all of the log to the database first', () =>
    withCatalog(async (catalog, path) => {
      await add(catalog, 'before')
      await failNextSync(path)
      await expect(add(catalog, 'doubtful')).rejects.toThrow(/EIO/)
      await add(catalog, 'after')
      await using aside = await temporaryFolder()
      const alone = join(aside.path, 'without-log.sqlite')
      await copyFile(path, alone)
      using database = closing(new Sqlite(alone))
      const names = database.prepare('select name from images order by 1').pluck().all()
      expect(names).toEqual(['after', 'before', 'doubtful'])
    }))

  test('fails all that follow when the log does not hold any more what was written', () =>
    withCatalog(async (catalog, path) => {
      await add(catalog, 'before')
      await failNextSync(path)
      await expect(add(catalog, 'doubtful')).rejects.toThrow(/EIO/)
      await overwrite(`${path}-wal`, 32 + 24 + 100)
      for (const name of ['after', 'later']) {
        await expect(add(catalog, name)).rejects.toThrow(/lost the newest entries/)
      }
    }))
})

async function overwrite(path: string, at: number): Promise<void> {
  await using file = await open(path, 'r+')
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at)
  await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, at)
}
