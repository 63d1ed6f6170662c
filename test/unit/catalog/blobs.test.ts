import { describe, expect, test } from 'vitest'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import { digestOf } from '../../../src/image/digest.ts'
import { openCatalog } from '../../support/catalog.ts'

const blob = (text: string) => ({ digest: digestOf(Buffer.from(text)), size: text.length })
const one = blob('one')
const two = blob('two!')
const lease = 60_000

const unkept = async ({ read }: Catalog) =>
  (await read.blobs.unkept('', 10)).unkept.map(({ digest }) => digest)

async function withBlobs() {
  const opened = await openCatalog()
  const { catalog } = opened
  const reserve = (which: typeof one, holder: string) =>
    catalog.transaction(({ blobs }) => blobs.reserve(which, holder, lease))
  const condemn = async (...which: (typeof one)[]) => {
    await catalog.transaction(({ blobs }) => blobs.condemn(which.map(({ digest }) => digest)))
    return (await catalog.read.blobs.condemned()).map(({ digest }) => digest)
  }
  return { ...opened, reserve, condemn }
}

describe('blobs', () => {
  test('are kept by a lease until it ends', async () => {
    await using opened = await withBlobs()
    const { reserve, condemn, clock } = opened
    await reserve(one, 'a')
    expect(await condemn(one)).toEqual([])
    clock.advance(lease)
    expect(await condemn(one)).toEqual([one.digest])
  })

  test('are kept while one of several holders is left', async () => {
    await using opened = await withBlobs()
    const { reserve, condemn, catalog } = opened
    await reserve(one, 'a')
    await reserve(one, 'b')
    expect(await catalog.transaction(({ blobs }) => blobs.endLeases('a'))).toEqual([one.digest])
    expect(await condemn(one)).toEqual([])
    await catalog.transaction(({ blobs }) => blobs.endLeases('b'))
    expect(await condemn(one)).toEqual([one.digest])
  })

  test('are kept by any manifest of any repository', async () => {
    await using opened = await withBlobs()
    const { reserve, condemn, catalog } = opened
    await reserve(one, 'a')
    await reserve(two, 'a')
    const manifest = { ...two, mediaType: 'x' }
    await catalog.transaction(async ({ blobs, manifests }) => {
      await manifests.put('cvi/a', manifest, [one.digest])
      await manifests.put('cvi/b', manifest, [one.digest])
      await blobs.endLeases('a')
    })
    expect(await condemn(one, two)).toEqual([])
    const left = await catalog.transaction(({ manifests }) => manifests.removeAll('cvi/a'))
    expect(left.toSorted()).toEqual([one.digest, two.digest].toSorted())
    expect(await condemn(one, two)).toEqual([])
    expect(await catalog.read.holdings.blobSize('cvi/a', one.digest)).toBeNull()
    expect(await catalog.read.holdings.blobSize('cvi/b', one.digest)).toBe(one.size)
    await catalog.transaction(({ manifests }) => manifests.removeAll('cvi/b'))
    expect((await condemn(one, two)).toSorted()).toEqual([one.digest, two.digest].toSorted())
  })

  test('that are being deleted do not exist, and cannot be reserved until they are gone', async () => {
    await using opened = await withBlobs()
    const { reserve, condemn, catalog, clock } = opened
    await reserve(one, 'a')
    clock.advance(lease)
    await condemn(one)
    expect(await catalog.read.blobs.size(one.digest)).toBeNull()
    expect(await reserve(one, 'b')).toBe(false)
    await catalog.transaction(({ blobs }) => blobs.forget([one.digest]))
    expect(await reserve(one, 'b')).toBe(true)
    expect(await catalog.read.blobs.size(one.digest)).toBe(one.size)
  })

  test('that a crash left are found', async () => {
    await using opened = await withBlobs()
    const { reserve, catalog, clock } = opened
    await reserve(one, 'a')
    await reserve(two, 'a')
    expect(await unkept(catalog)).toEqual([])
    clock.advance(lease)
    await reserve(two, 'a')
    expect(await unkept(catalog)).toEqual([one.digest])
  })

  test('are counted once, whoever needs them', async () => {
    await using opened = await withBlobs()
    const { reserve, catalog } = opened
    expect(await catalog.read.blobs.total()).toBe(0)
    await reserve(one, 'a')
    await reserve(one, 'b')
    await reserve(two, 'b')
    expect(await catalog.read.blobs.total()).toBe(one.size + two.size)
  })
})

describe('repositories', () => {
  test('know a manifest by tag and by digest, and their tags in order', async () => {
    await using opened = await withBlobs()
    const { catalog } = opened
    const manifest = { ...one, mediaType: 'x' }
    await catalog.transaction(async ({ manifests }) => {
      await manifests.put('a/b', manifest, [])
      for (const tag of ['b', 'a', 'B']) await manifests.tag('a/b', tag, one.digest)
    })
    const { manifests } = catalog.read
    expect(await manifests.byTag('a/b', 'a')).toEqual(manifest)
    expect(await manifests.byTag('a/b', 'none')).toBeNull()
    expect(await manifests.byDigest('a/b', one.digest)).toEqual(manifest)
    expect(await manifests.byDigest('a/c', one.digest)).toBeNull()
    expect(await manifests.tags('a/b', '', 10)).toEqual(['B', 'a', 'b'])
    expect(await manifests.tags('a/b', 'B', 1)).toEqual(['a'])
  })
})
