import { describe, expect, test } from 'vitest'
import { digestOf } from '../../../src/image/digest.ts'
import { openCatalog } from '../../support/catalog.ts'

const hour = 3_600_000
const blob = (text: string) => ({ digest: digestOf(Buffer.from(text)), size: text.length })
const layer = blob('the layer')
const manifest = blob('the manifest')
const mediaType = 'application/vnd.oci.image.manifest.v1+json'

async function withImage() {
  const opened = await openCatalog()
  const { catalog } = opened
  await catalog.transaction(async ({ blobs, manifests }) => {
    for (const one of [layer, manifest]) await blobs.reserve(one, 'upload', hour)
    await manifests.put('a', { ...manifest, mediaType }, [layer.digest])
    await blobs.endLeases('upload')
  })
  return { ...opened, holdings: catalog.read.holdings }
}

describe('a repository holds', () => {
  test('what its manifests need, and their own bytes, however long', async () => {
    await using opened = await withImage()
    opened.clock.advance(1000 * hour)
    expect(await opened.holdings.blobSize('a', layer.digest)).toBe(layer.size)
    expect(await opened.holdings.blobSize('a', manifest.digest)).toBe(manifest.size)
    expect(await opened.holdings.blobSize('b', layer.digest)).toBeNull()
  })

  test('nothing of a manifest that is gone', async () => {
    await using opened = await withImage()
    const { catalog, holdings } = opened
    const gone = await catalog.transaction(({ manifests }) =>
      manifests.remove('a', manifest.digest),
    )
    expect(gone?.needs.toSorted()).toEqual([layer.digest, manifest.digest].toSorted())
    expect(await holdings.blobSize('a', layer.digest)).toBeNull()
  })

  test('nothing that is being deleted', async () => {
    await using opened = await withImage()
    const { catalog, holdings } = opened
    await catalog.transaction(async ({ manifests, blobs }) => {
      await manifests.remove('a', manifest.digest)
      await blobs.condemn([layer.digest])
    })
    const granted = catalog.transaction(({ leases }) =>
      leases.grant(layer.digest, 'push', 'a', hour),
    )
    await granted
    expect(await holdings.blobSize('a', layer.digest)).toBeNull()
    await catalog.transaction(({ blobs }) => blobs.forget([layer.digest]))
    expect(await catalog.read.leases.end(layer.digest, 'push')).toBeNull()
  })

  test('many blobs at once: sizes of those that are there', async () => {
    await using opened = await openCatalog()
    const { catalog } = opened
    const all = Array.from({ length: 1200 }, (_, index) => blob(`blob ${index}`))
    await catalog.transaction(async ({ blobs, leases }) => {
      for (const one of all) {
        await blobs.reserve(one, 'upload', hour)
        await leases.grant(one.digest, 'upload', 'a', hour)
      }
    })
    const asked = [...all.map(({ digest }) => digest), layer.digest]
    const sizes = await catalog.read.holdings.blobSizes('a', asked)
    expect(sizes).toEqual(new Map(all.map(({ digest, size }) => [digest, size])))
  })
})

describe('who holds a blob', () => {
  test('is told once for each repository, by manifest or by lease, up to a limit', async () => {
    await using opened = await withImage()
    const { catalog, holdings, clock } = opened
    await catalog.transaction(async ({ leases }) => {
      for (const repository of ['a', 'b', 'c']) {
        await leases.grant(layer.digest, `push to ${repository}`, repository, hour)
      }
    })
    const all = await holdings.repositoriesWith(layer.digest, 10)
    expect(all.toSorted()).toEqual(['a', 'b', 'c'])
    expect(await holdings.repositoriesWith(layer.digest, 2)).toHaveLength(2)
    clock.advance(hour)
    expect(await holdings.repositoriesWith(layer.digest, 10)).toEqual(['a'])
  })
})
