import { expect, test } from 'vitest'
import { backupFact } from '../../../src/catalog/backup.ts'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import { parseDigest } from '../../../src/image/digest.ts'
import { rebuildPair } from '../../../src/work/rebuild-pair.ts'
import { rebuild } from '../../../src/work/rebuild.ts'
import { Repositories } from '../../../src/work/repositories.ts'
import { assertPair } from '../../../src/work/store-identity.ts'
import { manifestKey, readTagRecord, tagKey, tagRecord } from '../../../src/work/tag-record.ts'
import {
  makeReady,
  openBench,
  provision,
  pushManifest,
  rebuildInto,
  type TestBench,
} from '../../support/in-process-store.ts'

const never = new AbortController().signal
const nothing = { images: 0, manifests: 0, tags: 0, blobs: 0, references: 0 }

async function phaseOf(name: string, catalog: Catalog) {
  return (await catalog.read.images.byName(name))?.phase
}

test('images and manifests come back as they were, and only once', async () => {
  await using bench = await openBench()
  const image = await makeReady('a', 'layer', bench)
  const { digest, layer } = await pushManifest('team/app', '1', bench)
  const fresh = await bench.open('second.sqlite')
  const found = await rebuildInto(fresh, bench)
  expect(found).toMatchObject({
    images: 1,
    manifests: 1,
    tags: 1,
    blobs: 6,
    added: { images: 1, manifests: 2, tags: 2, blobs: 6, references: 6 },
    lost: 0,
    missing: 0,
  })
  expect(await fresh.read.images.byName('a')).toEqual(image)
  expect((await fresh.read.manifests.byTag('team/app', '1'))?.digest).toBe(digest)
  expect(await fresh.read.holdings.blobSize('team/app', layer)).not.toBeNull()
  expect((await rebuildInto(fresh, bench)).added).toEqual(nothing)
  expect((await rebuildInto(bench.catalog, bench)).added).toEqual(nothing)
})

test('stopped in the middle and run again, it comes to the same', async () => {
  await using bench = await openBench()
  for (const tag of ['1', '2', '3']) await pushManifest('team/app', tag, bench)
  await makeReady('a', 'layer', bench)
  const fresh = await bench.open('second.sqlite')
  const controller = new AbortController()
  const { store } = bench
  const stopped = rebuild(
    { catalog: fresh, store, now: Date.now, report: () => controller.abort() },
    controller.signal,
  )
  await expect(stopped).rejects.toThrow(/abort/)
  await rebuildInto(fresh, bench)
  expect(await fresh.read.manifests.tags('team/app', '', 10)).toEqual(['1', '2', '3'])
  expect(await phaseOf('a', fresh)).toBe('Ready')
})

test('what a catalog has lost in part is added', async () => {
  await using bench = await openBench()
  await makeReady('a', 'layer', bench)
  await pushManifest('team/app', '1', bench)
  await bench.catalog.transaction(async ({ manifests, images }) => {
    await manifests.removeAll('cvi/a')
    await manifests.untag('team/app', '1')
    await images.remove({ uid: 'uid-a', name: 'a' })
  })
  const { added } = await rebuildInto(bench.catalog, bench)
  expect(added).toEqual({ ...nothing, images: 1, manifests: 1, tags: 2, references: 3 })
  expect((await rebuildInto(bench.catalog, bench)).added).toEqual(nothing)
})

test('an image whose layer is missing is ImageLost, wherever it is known', async () => {
  await using bench = await openBench()
  const { stored } = await makeReady('a', 'layer', bench)
  const layer = parseDigest(stored?.layer.digest ?? '')
  await bench.store.remove(layer)
  const fresh = await bench.open('second.sqlite')
  for (const catalog of [fresh, bench.catalog]) {
    expect(await rebuildInto(catalog, bench)).toMatchObject({ lost: 1 })
    expect(await catalog.read.images.byName('a')).toMatchObject({
      phase: 'ImageLost',
      ready: {
        reason: 'ImageLost',
        message: `the layer ${layer} of the image is missing; import it again with retry, or push the same bytes`,
      },
    })
    expect(await rebuildInto(catalog, bench)).toMatchObject({ lost: 0, added: nothing })
  }
})

test('an image whose manifest is missing keeps what its record tells', async () => {
  await using bench = await openBench()
  const { stored } = await makeReady('a', 'layer', bench)
  await bench.store.remove(parseDigest(stored?.manifest.digest ?? ''))
  const fresh = await bench.open('second.sqlite')
  expect(await rebuildInto(fresh, bench)).toMatchObject({ lost: 1 })
  expect(await fresh.read.images.byName('a')).toMatchObject({ phase: 'ImageLost', stored })
})

test('a pushed manifest whose bytes are missing is listed, so that it can be deleted', async () => {
  await using bench = await openBench()
  const { digest } = await pushManifest('team/app', '1', bench)
  await bench.store.remove(digest)
  const fresh = await bench.open('second.sqlite')
  expect(await rebuildInto(fresh, bench)).toMatchObject({ missing: 1, added: { manifests: 1 } })
  expect(await fresh.read.manifests.byTag('team/app', '1')).toMatchObject({ digest })
})

test('records that cannot be read are told and left alone', async () => {
  await using bench = await openBench()
  const { digest } = await pushManifest('team/app', '1', bench)
  const { records } = bench.store
  await records.put(manifestKey('team/app', digest), Buffer.from('{"manifest":'))
  await records.put('team/app/other', Buffer.from('{}'))
  const fresh = await bench.open('second.sqlite')
  const found = await rebuildInto(fresh, bench)
  expect(found).toMatchObject({ unreadable: 2, added: { manifests: 1, tags: 1 } })
  expect(found.examples.map(({ key }) => key).toSorted()).toEqual([
    `team/app/_manifests/${digest}`,
    'team/app/other',
  ])
  expect(await records.read('team/app/other')).not.toBeNull()
})

test('blobs without a record get no row: the collection judges them', async () => {
  await using bench = await openBench()
  const { layer, digest, repositories } = await pushManifest('team/app', '1', bench)
  await bench.store.records.remove('team/app/_tags/1')
  await bench.store.records.remove(manifestKey('team/app', digest))
  const fresh = await bench.open('second.sqlite')
  expect(await rebuildInto(fresh, bench)).toMatchObject({ blobs: 3, added: nothing })
  expect(await fresh.read.blobs.size(layer)).toBeNull()
  expect(await bench.store.stat(layer)).not.toBeNull()
  expect(repositories).toBeDefined()
})

test('a record from before the commit that made its image Ready makes it Ready, if all is here', async () => {
  await using bench = await openBench()
  const ready = await makeReady('a', 'layer', bench)
  const older = await bench.open('older.sqlite')
  await provision('a', older)
  expect((await rebuildInto(older, bench)).added.images).toBe(1)
  expect(await older.read.images.byName('a')).toEqual(ready)
  expect(await older.read.jobs.all()).toEqual([])
})

test('an image that was started again is not taken back to its earlier attempt', async () => {
  await using bench = await openBench()
  await makeReady('a', 'layer', bench)
  const change = { ready: { reason: 'ImageLost', message: '' } } as const
  await bench.catalog.transaction(async ({ images }) => {
    await images.change('uid-a', { ...change, phase: 'ImageLost' })
    await images.change('uid-a', { ...change, phase: 'Pending', attempt: 2 })
  })
  expect((await rebuildInto(bench.catalog, bench)).added).toEqual(nothing)
  expect(await phaseOf('a', bench.catalog)).toBe('Pending')
})

test('an image of the same name that came later takes the place of the older one', async () => {
  await using bench = await openBench()
  const { stored, ...ready } = await makeReady('a', 'layer', bench)
  if (!stored) throw new Error('a Ready image has stored something')
  const newer = { ...ready, stored, uid: 'newer' }
  await bench.store.records.put(tagKey('a', 'latest'), tagRecord(newer, stored))
  expect((await rebuildInto(bench.catalog, bench)).added.images).toBe(1)
  expect(await bench.catalog.read.images.byName('a')).toEqual(newer)
})

test('events go on above all that were given out before', async () => {
  await using bench = await openBench()
  await makeReady('a', 'layer', bench)
  await makeReady('b', 'layer', bench)
  const fresh = await bench.open('second.sqlite')
  const from = Date.now()
  await rebuildInto(fresh, bench)
  const newest = (await fresh.read.events.newest()) ?? 0
  expect(newest).toBeGreaterThan(from)
  expect(await fresh.read.events.after(0, newest, 10)).toHaveLength(2)
})

const pairOf = ({ catalog, store }: TestBench) => ({
  catalog,
  store,
  where: { catalog: 'here', store: 'there' },
})

/** A tag was moved and a manifest deleted, and the store did not take what it was told of that. */
async function leaveBehind(bench: TestBench) {
  const { store, catalog, shelf } = bench
  await pushManifest('team/app', '1', bench)
  const { digest } = await pushManifest('team/app', '2', bench)
  await assertPair(pairOf(bench))
  const fails = () => Promise.reject(new Error('the store is away'))
  const records = Object.assign(Object.create(store.records), { put: fails, remove: fails })
  const away = Object.assign(Object.create(store), { records })
  const repositories = new Repositories({ ...shelf, catalog, store: away })
  await expect(repositories.remove('team/app', digest)).rejects.toThrow('the store is away')
  expect(await store.records.read('team/app/_tags/2')).not.toBeNull()
  return digest
}

test('beside a sound catalog nothing comes back that was deleted while the store was away', async () => {
  await using bench = await openBench()
  const digest = await leaveBehind(bench)
  const found = await rebuildPair(pairOf(bench), { now: Date.now, report: () => {} }, never)
  expect(found.added).toEqual(nothing)
  expect(await bench.catalog.read.manifests.tags('team/app', '', 10)).toEqual(['1'])
  expect(await bench.store.records.read(manifestKey('team/app', digest))).toBeNull()
})

test('what an older catalog owes the store is not written there', async () => {
  await using bench = await openBench()
  const digest = await leaveBehind(bench)
  await bench.catalog.transaction(({ facts }) => facts.write(backupFact, 'yesterday'))
  await rebuildPair(pairOf(bench), { now: Date.now, report: () => {} }, never)
  expect(await bench.store.records.read(manifestKey('team/app', digest))).not.toBeNull()
  expect(await bench.catalog.read.manifests.tags('team/app', '', 10)).toEqual(['1', '2'])
})

test('an image that was imported again after the backup is not lost with its first bytes', async () => {
  await using bench = await openBench()
  const { catalog, store } = bench
  const before = await makeReady('a', 'first', bench)
  const { stored } = await makeReady('b', 'second', bench)
  if (!before.stored || !stored) throw new Error('both are Ready')
  const again = { ...before, attempt: 2 }
  await store.records.put(tagKey('a', 'latest'), tagRecord(again, stored))
  await store.remove(parseDigest(before.stored.layer.digest))
  expect((await rebuildInto(catalog, bench)).lost).toBe(0)
  expect(await catalog.read.images.byName('a')).toMatchObject({
    phase: 'Ready',
    attempt: 2,
    stored,
  })
  expect((await rebuildInto(catalog, bench)).added).toEqual(nothing)
})

test('an image of a backup whose bytes are all here is written down again', async () => {
  await using bench = await openBench()
  await assertPair(pairOf(bench))
  await makeReady('a', 'shared', bench)
  const { store, catalog } = bench
  const key = tagKey('a', 'latest')
  const record = async () => readTagRecord((await store.records.read(key)) ?? Buffer.alloc(0))
  const before = await record()
  await store.records.remove(key)
  await rebuildPair(pairOf(bench), { now: Date.now, report: () => {} }, never)
  // The newest catalog has its records.
  expect(await record()).toBeNull()
  await catalog.transaction(({ facts }) => facts.write(backupFact, 'yesterday'))
  await rebuildPair(pairOf(bench), { now: Date.now, report: () => {} }, never)
  expect(before).not.toBeNull()
  expect(await record()).toEqual(before)
  expect(await phaseOf('a', catalog)).toBe('Ready')
})
