import { mkdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { digestOf, hexOf, type Digest } from '../../../src/image/digest.ts'
import { FilesystemStore } from '../../../src/store/filesystem.ts'
import { Collector } from '../../../src/work/collect.ts'
import { leaseHolder, publishShared, put, reserve } from '../../../src/work/publish.ts'
import { newImage, openCatalog } from '../../support/catalog.ts'
import { temporaryFolder } from '../../support/temporary.ts'

const bytes = Buffer.from('a layer')
const digest: Digest = digestOf(bytes)
const layer = { digest, size: bytes.length }
const judged = {
  layer,
  disk: { digest, size: 3 },
  facts: {
    format: 'raw',
    unpackedBytes: 3,
    allocatedBytes: null,
    bootable: 'unknown',
    architecture: null,
    details: {},
  },
  source: { bytes: 3, sha256: digest },
} as const

const never = new AbortController().signal

/** An image whose import is under way. */
async function withImage() {
  await using resources = new AsyncDisposableStack()
  const { catalog, clock } = resources.use(await openCatalog())
  const folder = resources.use(await temporaryFolder())
  const store = await FilesystemStore.open(folder.path)
  const collector = new Collector(catalog, store, pino({ level: 'silent' }))
  const shelf = { catalog, store, collector, now: clock.now }
  const image = await catalog.transaction(async ({ images, jobs }) => {
    const added = await images.add(newImage('a'))
    await jobs.add(added.uid)
    await images.change(added.uid, {
      phase: 'Provisioning',
      ready: { reason: 'Provisioning', message: '' },
    })
    return added
  })
  const held = resources.move()
  const dispose = () => held.disposeAsync()
  const { path } = folder
  return { path, catalog, clock, store, collector, shelf, image, [Symbol.asyncDispose]: dispose }
}

test('a blob whose deletion has failed is deleted for whoever brings it again', async () => {
  await using bench = await withImage()
  const { path, catalog, collector, shelf, image } = bench
  await reserve(leaseHolder(image), [layer], shelf)
  const hex = hexOf(digest)
  const inTheWay = join(path, 'blobs', 'sha256', hex.slice(0, 2), hex)
  await mkdir(inTheWay, { recursive: true })
  await catalog.transaction(({ blobs }) => blobs.endLeases(leaseHolder(image)))
  await collector.collect([digest])
  await expect(reserve('another', [layer], shelf)).rejects.toThrow(/being deleted/)
  await rmdir(inTheWay)
  await reserve('another', [layer], shelf)
})

test('what an earlier attempt had kept goes at once when an image is Ready', async () => {
  await using bench = await withImage()
  const { catalog, store, collector, shelf, image } = bench
  const earlier = Buffer.from('a layer of another time')
  const before = { digest: digestOf(earlier), size: earlier.length }
  await reserve(leaseHolder(image), [layer, before], shelf)
  for (const some of [bytes, earlier]) await put(some, store, never)
  await publishShared(image, judged, {}, shelf, never)
  await collector.idle()
  expect(await store.stat(before.digest)).toBeNull()
  expect(await catalog.read.blobs.size(before.digest)).toBeNull()
  expect(await store.stat(digest)).toEqual(layer)
})

test.each([true, false])('an image on a layer that is leased is Ready: %s', async (isInTime) => {
  await using bench = await withImage()
  const { catalog, store, clock, collector, shelf, image } = bench
  await reserve(leaseHolder(image), [layer], shelf)
  await put(bytes, store, never)
  // Hashing it takes so long that its lease runs out, and whoever else needed it is deleted.
  clock.advance(isInTime ? 60_000 : 3_600_000)
  await collector.collect([digest])
  const ready = publishShared(image, judged, {}, shelf, never)
  if (isInTime) expect((await ready).phase).toBe('Ready')
  else await expect(ready).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  expect((await catalog.read.images.byName('a'))?.phase).toBe(isInTime ? 'Ready' : 'Provisioning')
  expect(await store.stat(digest)).toEqual(isInTime ? layer : null)
})
