import { randomUUID } from 'node:crypto'
import { readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { backUp } from '../../../src/catalog/backup.ts'
import { Catalog } from '../../../src/catalog/catalog.ts'
import { newImage } from '../../support/catalog.ts'
import { damageCatalog } from '../../support/damaged-catalog.ts'
import { temporaryFolder } from '../../support/temporary.ts'

async function openIn(folder: string) {
  const path = join(folder, 'catalog.sqlite')
  return { path, catalog: await Catalog.open({ path, now: Date.now }) }
}

test('a backup has what was committed before it, and the catalog is written on', async () => {
  await using folder = await temporaryFolder()
  const { path, catalog } = await openIn(folder.path)
  const to = join(folder.path, 'backup')
  const add = (name: string) => catalog.transaction(({ images }) => images.add(newImage(name)))
  await add('before')
  const [size] = await Promise.all([backUp({ path, to, force: false }), add('meanwhile')])
  await add('after')
  await catalog[Symbol.asyncDispose]()
  expect(await stat(to)).toMatchObject({ size, mode: 0o100600 })
  expect((await readdir(folder.path)).toSorted()).toEqual(['backup', 'catalog.sqlite'])
  const copy = await Catalog.open({ path: to, now: Date.now })
  expect(await copy.read.images.byName('before')).not.toBeNull()
  expect(await copy.read.images.byName('after')).toBeNull()
  await copy[Symbol.asyncDispose]()
})

test('a backup takes the place of no other file, unless that is asked for', async () => {
  await using folder = await temporaryFolder()
  const { path, catalog } = await openIn(folder.path)
  await catalog[Symbol.asyncDispose]()
  const to = join(folder.path, 'backup')
  await backUp({ path, to, force: false })
  await expect(backUp({ path, to, force: false })).rejects.toThrow(/is there already.+--force/)
  await backUp({ path, to, force: true })
  await rm(path)
  await expect(backUp({ path, to, force: true })).rejects.toThrow(/there is no catalog at/)
  expect(await readdir(folder.path)).toEqual(['backup'])
})

test('what a killed backup left is removed by a later one, and what still runs is not', async () => {
  await using folder = await temporaryFolder()
  const { path, catalog } = await openIn(folder.path)
  await catalog[Symbol.asyncDispose]()
  const to = join(folder.path, 'backup')
  const [old, young, others] = [
    `${to}.new-${randomUUID()}`,
    `${to}.new-${randomUUID()}`,
    `${to}.new-x`,
  ]
  for (const each of [old, `${old}-journal`, young, others]) await writeFile(each, '')
  const before = new Date(Date.now() - 2 * 3_600_000)
  for (const each of [old, `${old}-journal`, others]) await utimes(each, before, before)
  await backUp({ path, to, force: false })
  const left = (await readdir(folder.path)).map((name) => join(folder.path, name))
  expect(left.toSorted()).toEqual([path, to, young, others].toSorted())
})

test('of a damaged catalog there is no backup', async () => {
  await using folder = await temporaryFolder()
  const { path, catalog } = await openIn(folder.path)
  await catalog[Symbol.asyncDispose]()
  await damageCatalog(path)
  const to = join(folder.path, 'backup')
  await expect(backUp({ path, to, force: false })).rejects.toThrow(/damaged .+slipway rebuild/)
  expect(await readdir(folder.path)).toEqual(['catalog.sqlite'])
})
