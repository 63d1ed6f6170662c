import { copyFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Catalog } from '../../../src/catalog/catalog.ts'
import { mebibyte } from '../../support/disks.ts'
import { newImage } from '../../support/catalog.ts'
import { temporaryFolder } from '../../support/temporary.ts'

/** Bytes that the file takes on the disk. */
async function taken(path: string): Promise<number> {
  return (await stat(path)).blocks * 512
}

const add = (name: string) => (catalog: Catalog) =>
  catalog.transaction(
    async ({ images }) =>
      void (await images.add(newImage(name, { secrets: Buffer.from('secret') }))),
  )

describe("the catalog's log", () => {
  test('has its room from the start, and again after it was cut', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'catalog.sqlite')
    await using catalog = await Catalog.open({ path, now: Date.now })
    expect(await taken(`${path}-wal`)).toBeGreaterThanOrEqual(8 * mebibyte)
    await add('one')(catalog)
    const ready = { reason: 'ProvisioningFailedTerminally' as const, message: '' }
    await catalog.transaction(({ images }) =>
      images.change('uid-one', { phase: 'Failed', ready, secrets: null }),
    )
    await catalog.finishErasing()
    expect(await taken(`${path}-wal`)).toBeGreaterThanOrEqual(8 * mebibyte)
    expect((await catalog.read.images.byName('one'))?.uid).toBe('uid-one')
  })

  test('gives back every commit after a crash, and nothing else', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'catalog.sqlite')
    await using catalog = await Catalog.open({ path, now: Date.now })
    for (const name of ['one', 'two', 'three']) await add(name)(catalog)
    const crashed = join(folder.path, 'crashed.sqlite')
    for (const end of ['', '-wal']) await copyFile(`${path}${end}`, `${crashed}${end}`)
    await using later = await Catalog.open({ path: crashed, now: Date.now })
    for (const name of ['one', 'two', 'three']) {
      expect((await later.read.images.byName(name))?.uid).toBe(`uid-${name}`)
    }
    await add('four')(later)
    expect((await later.read.images.byName('four'))?.uid).toBe('uid-four')
  })
})
