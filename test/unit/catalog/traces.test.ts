import { randomBytes } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { Catalog } from '../../../src/catalog/catalog.ts'
import { newImage } from '../../support/catalog.ts'
import { temporaryFolder } from '../../support/temporary.ts'

/** All that the files of a catalog hold. */
async function bytesIn(folder: string): Promise<Buffer> {
  const names = await readdir(folder)
  return Buffer.concat(await Promise.all(names.map((name) => readFile(join(folder, name)))))
}

async function withCatalog(work: (catalog: Catalog, folder: string) => Promise<void>) {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'catalog.sqlite')
  await using catalog = await Catalog.open({ path, now: Date.now })
  await work(catalog, folder.path)
}

const add = (catalog: Catalog, name: string, secrets: Buffer) =>
  catalog.transaction(({ images }) => images.add(newImage(name, { secrets })))
const erase = (catalog: Catalog, name: string) =>
  catalog.transaction(({ images }) =>
    images.change(`uid-${name}`, {
      phase: 'Failed',
      ready: { reason: 'ProvisioningFailedTerminally', message: '' },
      secrets: null,
    }),
  )

describe('secrets that were erased', () => {
  test.each([100, 20_000])('of %i bytes leave the files with the commit', (length) =>
    withCatalog(async (catalog, folder) => {
      const secrets = Array.from({ length: 30 }, () => randomBytes(length))
      for (const [at, secret] of secrets.entries()) await add(catalog, `image-${at}`, secret)
      const before = await bytesIn(folder)
      expect(before.includes(secrets[7]?.subarray(0, 32) ?? '')).toBe(true)
      for (const at of secrets.keys()) await erase(catalog, `image-${at}`)
      const after = await bytesIn(folder)
      // Eight places of each: a page may have lost some of it and not the rest.
      const parts = secrets.flatMap((secret) =>
        Array.from({ length: 8 }, (_, nth) => Math.floor((nth * (length - 16)) / 7)).map((from) =>
          secret.subarray(from, from + 16),
        ),
      )
      const left = parts.filter((part) => after.includes(part))
      expect(left).toEqual([])
    }),
  )

  test('leave them later when somebody reads the catalog meanwhile', () =>
    withCatalog(async (catalog, folder) => {
      const secret = randomBytes(64)
      await add(catalog, 'one', secret)
      const reader = new Sqlite(join(folder, 'catalog.sqlite'), { readonly: true })
      reader.exec('begin')
      reader.prepare('select count(*) from images').get()
      await erase(catalog, 'one')
      expect((await bytesIn(folder)).includes(secret)).toBe(true)
      reader.close()
      await catalog.finishErasing()
      expect((await bytesIn(folder)).includes(secret)).toBe(false)
    }))

  test('leave them with the next start after a crash', () =>
    withCatalog(async (catalog, folder) => {
      const secret = randomBytes(64)
      await add(catalog, 'one', secret)
      // As it is when a process ends between the commit and what follows it.
      const dying = new Sqlite(join(folder, 'catalog.sqlite'))
      dying.prepare("update images set secrets = null where uid = 'uid-one'").run()
      expect((await bytesIn(folder)).includes(secret)).toBe(true)
      const path = join(folder, 'catalog.sqlite')
      await using again = await Catalog.open({ path, now: Date.now })
      expect(again).toBeDefined()
      expect((await bytesIn(folder)).includes(secret)).toBe(false)
      dying.close()
    }))
})
