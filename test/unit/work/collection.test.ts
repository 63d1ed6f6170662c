import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import type { Facts } from '../../../src/catalog/maintenance-runs.ts'
import { hexOf, type Digest } from '../../../src/image/digest.ts'
import { readManifest } from '../../../src/image/document.ts'
import type { Store } from '../../../src/store/store.ts'
import { Collector } from '../../../src/work/collect.ts'
import { collection } from '../../../src/work/collection.ts'
import { reserve } from '../../../src/work/publish.ts'
import { manifestKey, pushedRecord } from '../../../src/work/tag-record.ts'
import { Unowned } from '../../../src/work/unowned.ts'
import { blobOf, chunk, hour, never, openBench } from '../../support/push-bench.ts'
import { imageManifest } from '../../support/push-content.ts'
import { recordsWith, storeWith } from '../../support/store-with.ts'

const log = pino({ level: 'silent' })
const day = 24 * hour
const one = blobOf('one')
const two = blobOf('two!')
const config = blobOf('the config')
const layer = blobOf('the layer')

const part = ({ digest, size }: typeof one) => ({ digest, size })

type Bench = Awaited<ReturnType<typeof openBench>>

const pathOf = (digest: Digest, { folder }: Bench) =>
  join(folder, 'blobs', 'sha256', hexOf(digest).slice(0, 2), hexOf(digest))

/** As a crash leaves it between a rename and its commit: a blob that no row knows. */
async function leave({ digest, bytes }: typeof one, bench: Bench, age: number) {
  const path = pathOf(digest, bench)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
  await makeOld(path, bench, age)
}

async function makeOld(path: string, { clock }: Bench, age: number) {
  const at = new Date(clock.now() - age)
  await utimes(path, at, at)
}

/** Pushes a blob that no manifest comes for, and lets its lease run out. */
async function forsake(bench: Bench, ...blobs: (typeof one)[]) {
  for (const { digest, bytes } of blobs) {
    await bench.pushes.whole('a/b', digest, chunk(bytes), never)
  }
  bench.clock.advance(2 * hour)
}

async function pushImage({ pushes, repositories }: Bench) {
  for (const { digest, bytes } of [config, layer]) {
    await pushes.whole('a/b', digest, chunk(bytes), never)
  }
  const { bytes, mediaType } = imageManifest(part(config), [part(layer)])
  const all = Buffer.from(bytes)
  const document = readManifest(all, mediaType)
  const manifest = blobOf(all.toString())
  await repositories.put('a/b', { ...manifest, document, tags: ['1'] }, never)
  return manifest
}

/** Collects, and tells what the last report said. */
async function collect(bench: Bench, options: Facts = {}, over: Store = bench.store) {
  const { catalog, clock, pushes } = bench
  const shared = { catalog, store: over, now: clock.now, log }
  const unowned = new Unowned({ ...shared, isTaking: (id) => pushes.isTaking(id) })
  const collector = new Collector(catalog, over, log)
  const task = collection({ ...shared, collector, unowned })
  return async () => {
    let last: Facts = {}
    await task({ options, before: {}, report: (progress) => void (last = progress) }, never)
    return last
  }
}

const collectOnce = async (bench: Bench, options: Facts = {}, over: Store = bench.store) =>
  await (
    await collect(bench, options, over)
  )()

const isHere = async ({ store }: Bench, { digest }: typeof one) =>
  (await store.stat(digest)) !== null

describe('a collection', () => {
  test('removes what nothing keeps and leaves what is in use', async () => {
    await using bench = await openBench()
    const manifest = await pushImage(bench)
    await forsake(bench, one, two)
    expect(await collectOnce(bench)).toMatchObject({
      phase: 'done',
      looked: 5,
      total: 5,
      removed: 2,
      freedBytes: one.size + two.size,
      failed: 0,
    })
    for (const gone of [one, two]) expect(await isHere(bench, gone)).toBe(false)
    for (const used of [manifest, config, layer]) expect(await isHere(bench, used)).toBe(true)
    expect(await bench.catalog.read.blobs.known([one.digest])).toEqual(new Set())
  })

  test('removes nothing when it is dry, and counts the same', async () => {
    await using bench = await openBench()
    await forsake(bench, one)
    await leave(two, bench, 2 * day)
    const stray = join(bench.folder, 'blobs', 'sha256', 'aa')
    await mkdir(stray)
    await writeFile(join(stray, 'half'), '12345')
    await makeOld(join(stray, 'half'), bench, 2 * day)
    const dry = await collectOnce(bench, { dryRun: true })
    expect(dry).toMatchObject({
      removed: 2,
      freedBytes: one.size + two.size + 5,
      unknown: 1,
      strays: 1,
    })
    expect(await isHere(bench, one)).toBe(true)
    expect(await isHere(bench, two)).toBe(true)
    expect(await readdir(stray)).toEqual(['half'])
    expect(await collectOnce(bench)).toEqual(dry)
    expect(await isHere(bench, one)).toBe(false)
    expect(await isHere(bench, two)).toBe(false)
    expect(await readdir(stray)).toEqual([])
  })

  test('leaves a blob alone that the catalog does not know and that is younger than a day', async () => {
    await using bench = await openBench()
    await leave(one, bench, day - 1000)
    expect(await collectOnce(bench)).toMatchObject({ removed: 0, unknown: 0 })
    expect(await isHere(bench, one)).toBe(true)
  })

  test('does not remove an unknown blob that somebody brings meanwhile', async () => {
    await using bench = await openBench()
    await leave(one, bench, 2 * day)
    const { records } = bench.store
    // Announced after it was looked up, before it is marked.
    const list = async function* (prefix: string) {
      await reserve('a push', [part(one)], bench)
      yield* records.list(prefix)
    }
    const meanwhile = storeWith(bench.store, {
      records: recordsWith(records, { list }),
    })
    expect(await collectOnce(bench, {}, meanwhile)).toMatchObject({ removed: 0, unknown: 1 })
    expect(await isHere(bench, one)).toBe(true)
  })

  test('lets a push of the same bytes wait until they are gone', async () => {
    await using bench = await openBench()
    await leave(one, bench, 2 * day)
    const states: boolean[] = []
    const remove = async (digest: Digest) => {
      const { catalog } = bench
      states.push(
        await catalog.transaction(({ blobs }) => blobs.reserve(part(one), 'a push', hour)),
      )
      return await bench.store.remove(digest)
    }
    await collectOnce(bench, {}, storeWith(bench.store, { remove }))
    expect(states).toEqual([false])
    await bench.pushes.whole('a/b', one.digest, chunk(one.bytes), never)
    expect(await isHere(bench, one)).toBe(true)
  })

  test('removes no unknown blob when the store knows manifests that the catalog does not', async () => {
    await using old = await openBench()
    const manifest = await pushImage(old)
    await leave(one, old, 2 * day)
    for (const { digest } of [manifest, config, layer]) {
      await makeOld(pathOf(digest, old), old, 2 * day)
    }
    // The same store under a catalog that knows nothing.
    await using empty = await openBench()
    const bench = { ...empty, store: old.store, folder: old.folder }
    const told = await collectOnce(bench)
    expect(told).toMatchObject({ removed: 0, unknown: 4 })
    expect(told['warning']).toMatch(/lacks 1 manifests .* run slipway rebuild/)
    for (const each of [one, manifest, config, layer]) expect(await isHere(old, each)).toBe(true)
  })

  test('removes no unknown blob while a record cannot be read whose tag the catalog does not have', async () => {
    await using bench = await openBench()
    await pushImage(bench)
    await leave(one, bench, 2 * day)
    await bench.store.records.put('cvi/lost/_tags/latest', Buffer.from('{"manifest":{"dig'))
    expect(await collectOnce(bench)).toMatchObject({ removed: 0, unknown: 1 })
    expect(await isHere(bench, one)).toBe(true)
    await bench.store.records.remove('cvi/lost/_tags/latest')
    // The catalog has this tag.
    await bench.store.records.put('a/b/_tags/1', Buffer.from('torn'))
    expect(await collectOnce(bench)).toMatchObject({ removed: 1, unknown: 1 })
  })

  test('is not held up by the record of a manifest that is gone', async () => {
    await using bench = await openBench()
    const record = pushedRecord({ ...two, mediaType: 'x' })
    await bench.store.records.put(manifestKey('a/b', two.digest), record)
    await leave(one, bench, 2 * day)
    expect(await collectOnce(bench)).toMatchObject({ removed: 1, unknown: 1 })
    expect(await isHere(bench, one)).toBe(false)
  })

  test('goes on after what cannot be removed, counts it, and removes it the next time', async () => {
    await using bench = await openBench()
    await forsake(bench, one, two)
    const remove = async (digest: Digest) => {
      if (digest === one.digest) throw new Error('this one is stuck')
      return await bench.store.remove(digest)
    }
    const stuck = storeWith(bench.store, { remove })
    expect(await collectOnce(bench, {}, stuck)).toMatchObject({ removed: 1, failed: 1 })
    expect(await isHere(bench, two)).toBe(false)
    expect(await collectOnce(bench)).toMatchObject({ removed: 1, failed: 0 })
    expect(await isHere(bench, one)).toBe(false)
  })

  test('fails when the store removes nothing at all', async () => {
    await using bench = await openBench()
    await forsake(bench, ...Array.from({ length: 120 }, (_, index) => blobOf(`blob ${index}`)))
    const remove = () => Promise.reject(new Error('down'))
    await expect(collectOnce(bench, {}, storeWith(bench.store, { remove }))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
  })

  test('drops staged bytes that have been nobody’s for a day, and no others', async () => {
    await using bench = await openBench()
    const session = await bench.pushes.begin('a/b', 'sha256')
    await bench.pushes.append('a/b', session, chunk('some', 0), never)
    const lost = await bench.store.stage({ id: 'lost' })
    await lost.append([Buffer.from('bytes')], never)
    await lost.leave()
    const run = await collect(bench)
    expect(await run()).toMatchObject({ staged: 0 })
    bench.clock.advance(day - 1)
    expect(await run()).toMatchObject({ staged: 0 })
    bench.clock.advance(1)
    expect(await run()).toMatchObject({ staged: 1 })
    expect(await bench.store.staged()).toEqual([session])
    await bench.pushes.close()
  })

  test('ends when it is told to', async () => {
    await using bench = await openBench()
    await forsake(bench, one)
    const { catalog, store, clock } = bench
    const unowned = new Unowned({ catalog, store, isTaking: () => false, now: clock.now })
    const collector = new Collector(catalog, store, log)
    const task = collection({ catalog, store, collector, unowned, now: clock.now, log })
    const signal = AbortSignal.abort(new Error('enough'))
    const errand = { options: {}, before: {}, report: () => {} }
    await expect(task(errand, signal)).rejects.toThrow('enough')
  })
})

describe('the collector', () => {
  test('holds up no stop with all that there is to remove, and the next start does the rest', async () => {
    await using bench = await openBench()
    const blobs = Array.from({ length: 450 }, (_, index) => blobOf(`number ${index}`))
    await bench.catalog.transaction(async (tables) => {
      for (const blob of blobs) await tables.blobs.reserve(part(blob), 'somebody', 1)
    })
    bench.clock.advance(hour)
    let removed = 0
    const remove = () => Promise.resolve((removed += 1) > 0)
    const collector = new Collector(bench.catalog, storeWith(bench.store, { remove }), log)
    collector.hurry()
    await collector.collect(blobs.map(({ digest }) => digest))
    await collector.finish()
    expect(removed).toBeLessThanOrEqual(100)
    const next = new Collector(bench.catalog, storeWith(bench.store, { remove }), log)
    await next.sweep(never)
    expect(removed).toBe(450)
    expect(await bench.catalog.read.blobs.total()).toBe(0)
  })

  test('removes what several ask for in one turn', async () => {
    await using bench = await openBench()
    const blobs = Array.from({ length: 30 }, (_, index) => blobOf(`blob ${index}`))
    await forsake(bench, ...blobs)
    const turns: number[] = []
    const collector = new Collector(bench.catalog, bench.store, log, ({ blobs }) =>
      turns.push(blobs),
    )
    await Promise.all(blobs.map(({ digest }) => collector.collect([digest])))
    expect(turns).toEqual([30])
    await rm(join(bench.folder, 'staging'), { recursive: true })
  })

  test('tries again in its next turn what could not be removed', async () => {
    await using bench = await openBench()
    await forsake(bench, one, two)
    let isStuck = true
    const remove = async (digest: Digest) => {
      if (isStuck) throw new Error('stuck')
      return await bench.store.remove(digest)
    }
    const collector = new Collector(bench.catalog, storeWith(bench.store, { remove }), log)
    await collector.collect([one.digest])
    expect(await isHere(bench, one)).toBe(true)
    isStuck = false
    await collector.collect([two.digest])
    expect(await isHere(bench, one)).toBe(false)
    expect(await isHere(bench, two)).toBe(false)
  })

  test('finds what a crash left between a deletion and its collection', async () => {
    await using bench = await openBench()
    const manifest = await pushImage(bench)
    await bench.catalog.transaction(({ manifests }) => manifests.remove('a/b', manifest.digest))
    await bench.collector.sweep(never)
    for (const gone of [manifest, config, layer]) expect(await isHere(bench, gone)).toBe(false)
  })
})
