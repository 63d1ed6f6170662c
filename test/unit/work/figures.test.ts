import { expect, test } from 'vitest'
import { digestOf } from '../../../src/image/digest.ts'
import { Figures } from '../../../src/work/figures.ts'
import { newImage, openCatalog } from '../../support/catalog.ts'

const count = 2500
const blob = (index: number) => ({ digest: digestOf(Buffer.from(`${index}`)), size: 2 })

const manifest = (index: number) => ({ ...blob(index), mediaType: 'x' })

async function withBlobs() {
  const opened = await openCatalog()
  const { catalog, clock } = opened
  await catalog.transaction(async ({ blobs, manifests, images }) => {
    for (let index = 0; index < count; index += 1) await blobs.reserve(blob(index), 'a', 1000)
    const [one, other] = [manifest(0), manifest(1)]
    await manifests.put('a/b', one, [blob(2).digest, blob(3).digest])
    await manifests.put('a/c', other, [blob(2).digest])
    await manifests.tag('a/b', '1', one.digest)
    await images.add(newImage('a'))
  })
  let looks = 0
  const store = {
    free: () => {
      looks += 1
      return Promise.resolve(1000)
    },
  }
  const room = { staged: 7 }
  const figures = new Figures({ catalog, store, room, storageLimit: null, now: clock.now })
  return { ...opened, figures, looks: () => looks }
}

test('the figures of the storage add up over all pages', async () => {
  await using opened = await withBlobs()
  expect(await opened.figures.look()).toEqual({
    blobBytes: 2 * count,
    logicalBytes: 2 * 5,
    stagedBytes: 7,
    freeBytes: 1000,
    limitBytes: null,
    counts: {
      images: { Pending: 1 },
      blobs: count,
      manifests: 2,
      tags: 1,
      repositories: 2,
      uploads: 0,
      pushes: 0,
    },
  })
})

test('the figures are made once for all who ask within five seconds', async () => {
  await using opened = await withBlobs()
  const { figures, looks, clock } = opened
  await Promise.all([figures.look(), figures.look()])
  clock.advance(4999)
  await figures.look()
  expect(looks()).toBe(1)
  clock.advance(1)
  await figures.look()
  expect(looks()).toBe(2)
})
