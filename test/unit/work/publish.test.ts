import { mkdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { digestOf, hexOf, type Digest } from '../../../src/image/digest.ts'
import { FilesystemStore } from '../../../src/store/filesystem.ts'
import { Collector } from '../../../src/work/collect.ts'
import { leaseHolder, publish, publishShared, put, reserve } from '../../../src/work/publish.ts'
import { recover } from '../../../src/work/recover.ts'
import { newImage, openCatalog } from '../../support/catalog.ts'
import { recordsWith, storeWith } from '../../support/store-with.ts'
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

const provisioning = {
  phase: 'Provisioning',
  ready: { reason: 'Provisioning', message: '' },
} as const

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
    await images.change(added.uid, provisioning)
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

type Bench = Awaited<ReturnType<typeof withImage>>

/** Everything of an image is in its place, and there the process is killed. */
async function cutBehindTheBytes({ store, shelf, image }: Bench) {
  const staging = await store.stage({ id: `image-${image.uid}`, size: bytes.length })
  await staging.append([bytes], never)
  await staging.seal(never)
  const cut = new Error('killed')
  const put = () => Promise.reject(cut)
  const killed = storeWith(store, { records: recordsWith(store.records, { put }) })
  const published = publish(image, { ...judged, staging }, {}, { ...shelf, store: killed }, never)
  await expect(published).rejects.toBe(cut)
}

test('an image whose bytes are all in their place is Ready after a crash, and nothing is sent again', async () => {
  await using bench = await withImage()
  const { catalog, store, clock, image } = bench
  await cutBehindTheBytes(bench)
  await recover({ catalog, store, idle: 1, now: clock.now })
  const ready = await catalog.read.images.byUid(image.uid)
  expect(ready).toMatchObject({ phase: 'Ready', stored: { layer } })
  expect(await Array.fromAsync(store.records.list(''))).toContain('cvi/a/_tags/latest')
  expect(await catalog.read.jobs.all()).toEqual([])
  expect(await catalog.read.facts.read(`publishing ${image.uid}`)).toBeNull()
})

test.each([
  [
    'let go of',
    async ({ catalog, image }: Bench) => {
      await catalog.transaction(({ blobs }) => blobs.endLeases(leaseHolder(image)))
    },
  ],
  ['lost', async ({ store }: Bench) => void (await store.remove(digest))],
  [
    'followed by others',
    async ({ store, image }: Bench) => {
      await (await store.stage({ id: `image-${image.uid}` })).leave()
    },
  ],
  [
    'of another attempt',
    async ({ catalog, image }: Bench) => {
      await catalog.transaction(({ images }) =>
        images.change(image.uid, { ...provisioning, attempt: 2 }),
      )
    },
  ],
])('bytes in their place that were %s make no image Ready after a crash', async (_, then) => {
  await using bench = await withImage()
  const { catalog, store, clock, image } = bench
  await cutBehindTheBytes(bench)
  await then(bench)
  await recover({ catalog, store, idle: 1, now: clock.now })
  expect((await catalog.read.images.byUid(image.uid))?.phase).toBe('Provisioning')
})
