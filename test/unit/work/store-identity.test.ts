import { expect, test } from 'vitest'
import { backupFact } from '../../../src/catalog/backup.ts'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import { Ownership } from '../../../src/work/ownership.ts'
import {
  assertOwn,
  assertPair,
  isForeign,
  mark,
  outdateCopies,
  pairUp,
} from '../../../src/work/store-identity.ts'
import { newImage } from '../../support/catalog.ts'
import { recordsWith } from '../../support/store-with.ts'
import {
  makeReady,
  openBench,
  rebuildInto,
  type TestBench,
} from '../../support/in-process-store.ts'

const where = { catalog: 'here', store: 'there' }
const key = '_store/id'

function pair(catalog: Catalog, { store }: TestBench) {
  return { catalog, store, where }
}

test('a new catalog and a new store belong together from the first start on', async () => {
  await using bench = await openBench()
  await assertPair(pair(bench.catalog, bench))
  await assertPair(pair(bench.catalog, bench))
  await makeReady('a', 'layer', bench)
  await assertPair(pair(bench.catalog, bench))
})

test('those of an earlier version are told that they belong together', async () => {
  await using bench = await openBench()
  await makeReady('a', 'layer', bench)
  await assertPair(pair(bench.catalog, bench))
  expect(await bench.store.records.read(key)).not.toBeNull()
})

test.each([true, false])(
  'a new catalog beside images is refused, an id is there: %s',
  async (is) => {
    await using bench = await openBench()
    await makeReady('a', 'layer', bench)
    if (is) await assertPair(pair(bench.catalog, bench))
    const fresh = await bench.open('second.sqlite')
    await expect(assertPair(pair(fresh, bench))).rejects.toThrow(
      'the catalog in here does not belong to the images in there; run "slipway rebuild"',
    )
    await rebuildInto(fresh, bench)
    await pairUp(pair(fresh, bench))
    await assertPair(pair(fresh, bench))
  },
)

test('a catalog that a rebuild has made in part is refused, in a store without an id, too', async () => {
  await using bench = await openBench()
  await makeReady('a', 'layer', bench)
  const fresh = await bench.open('second.sqlite')
  await mark(pair(fresh, bench))
  await fresh.transaction(({ images }) => images.add(newImage('b')))
  await expect(assertPair(pair(fresh, bench))).rejects.toThrow('does not belong')
})

test('a catalog that belongs to another store is refused, and is foreign to a rebuild', async () => {
  await using bench = await openBench()
  await using other = await openBench()
  await makeReady('a', 'layer', bench)
  await assertPair(pair(bench.catalog, bench))
  await assertPair(pair(other.catalog, other))
  await expect(assertPair(pair(other.catalog, bench))).rejects.toThrow('does not belong')
  expect(await isForeign(pair(other.catalog, bench))).toBe(true)
  expect(await isForeign(pair(bench.catalog, bench))).toBe(false)
})

test('a catalog whose store was emptied is refused', async () => {
  await using bench = await openBench()
  await makeReady('a', 'layer', bench)
  await assertPair(pair(bench.catalog, bench))
  await bench.store.records.remove(key)
  await expect(assertPair(pair(bench.catalog, bench))).rejects.toThrow(/it was emptied, or/)
})

test('an id that the store lost while nothing was there is written again', async () => {
  await using bench = await openBench()
  await assertPair(pair(bench.catalog, bench))
  await bench.store.records.remove(key)
  await assertPair(pair(bench.catalog, bench))
  expect(await bench.store.records.read(key)).not.toBeNull()
})

test.each(['before', 'after'])(
  'a crash %s the store has got its id is made good by the next start',
  async (when) => {
    await using bench = await openBench()
    await bench.catalog.transaction(({ images }) => images.add(newImage('a')))
    const { records } = bench.store
    const crashing = recordsWith(records, {
      async putNew(name, bytes) {
        if (when === 'after') await records.putNew(name, bytes)
        throw new Error('crash')
      },
    })
    const crashed = { catalog: bench.catalog, store: { records: crashing }, where }
    await expect(assertPair(crashed)).rejects.toThrow('crash')
    expect(await bench.catalog.read.facts.read('store')).toBeNull()
    await assertPair(pair(bench.catalog, bench))
    expect(await bench.catalog.read.facts.read('store')).not.toBeNull()
  },
)

test('a catalog of an earlier time is refused until a rebuild has added what came since', async () => {
  await using bench = await openBench()
  await assertPair(pair(bench.catalog, bench))
  const before = await bench.catalog.read.facts.read('store-generation')
  await assertPair(pair(bench.catalog, bench))
  await makeReady('a', 'layer', bench)
  await bench.catalog.transaction(({ facts }) => facts.write('store-generation', before ?? ''))
  await expect(assertPair(pair(bench.catalog, bench))).rejects.toThrow(
    'the catalog in here is older than the images in there, as one from a backup is; run "slipway rebuild"',
  )
  await rebuildInto(bench.catalog, bench)
  await pairUp(pair(bench.catalog, bench))
  await assertPair(pair(bench.catalog, bench))
})

test('a catalog that says that it is a backup is refused, however new it is', async () => {
  await using bench = await openBench()
  await assertPair(pair(bench.catalog, bench))
  await bench.catalog.transaction(({ facts }) => facts.write(backupFact, 'now'))
  await expect(assertPair(pair(bench.catalog, bench))).rejects.toThrow('is older than')
  await pairUp(pair(bench.catalog, bench))
  await assertPair(pair(bench.catalog, bench))
})

test('a crash between the two leaves the catalog ahead, which is no older one', async () => {
  await using bench = await openBench()
  await assertPair(pair(bench.catalog, bench))
  const id = await bench.store.records.read(key)
  await assertPair(pair(bench.catalog, bench))
  if (id) await bench.store.records.put(key, id)
  await assertPair(pair(bench.catalog, bench))
})

test('a copy of the files of a catalog is an older one, without a start in between, too', async () => {
  await using bench = await openBench()
  await assertPair(pair(bench.catalog, bench))
  await outdateCopies(pair(bench.catalog, bench))
  const { facts } = bench.catalog.read
  const copied = (await facts.read('store-generation')) ?? ''
  await outdateCopies(pair(bench.catalog, bench))
  await assertPair(pair(bench.catalog, bench))
  await bench.catalog.transaction((tables) => tables.facts.write('store-generation', copied))
  await expect(assertPair(pair(bench.catalog, bench))).rejects.toThrow('is older than the images')
  await expect(outdateCopies(pair(bench.catalog, bench))).rejects.toThrow('is older than')
})

test('a store that is emptied while it is served is not marked anew', async () => {
  await using bench = await openBench()
  await assertPair(pair(bench.catalog, bench))
  await bench.store.records.remove(key)
  await expect(outdateCopies(pair(bench.catalog, bench))).rejects.toThrow(/it was emptied, or/)
  expect(await bench.store.records.read(key)).toBeNull()
})

test.each([
  ['ENOSPC', null],
  ['EIO', 'cannot be written'],
])('a store that does not take its id anew for %s', async (code, refused) => {
  await using bench = await openBench()
  await assertPair(pair(bench.catalog, bench))
  const records = recordsWith(bench.store.records, {
    put: () => Promise.reject(Object.assign(new Error('cannot be written'), { code })),
  })
  const full = { catalog: bench.catalog, store: { records }, where }
  const opened = assertPair(full)
  await (refused === null ? opened : expect(opened).rejects.toThrow(refused))
  // The catalog is ahead, which is not older.
  await assertPair(pair(bench.catalog, bench))
})

test('a store that another service has, though nothing is in it yet, is refused', async () => {
  await using bench = await openBench()
  await assertPair(pair(bench.catalog, bench))
  const fresh = await bench.open('second.sqlite')
  await expect(assertPair(pair(fresh, bench))).rejects.toThrow('does not belong')
  await assertOwn(pair(bench.catalog, bench))
})

test('of two that are about to take a new store in the same moment, one is refused', async () => {
  await using bench = await openBench()
  const fresh = await bench.open('second.sqlite')
  const records = recordsWith(bench.store.records, {
    async read(name) {
      const found = await bench.store.records.read(name)
      // Both have looked before either of them takes it.
      if (found === null) await assertPair(pair(fresh, bench))
      return found
    },
  })
  const late = { catalog: bench.catalog, store: { records }, where }
  await expect(assertPair(late)).rejects.toThrow('does not belong')
  await assertOwn(pair(fresh, bench))
})

test('a store that was given to another service meanwhile is told to the one that had it', async () => {
  await using bench = await openBench()
  await assertPair(pair(bench.catalog, bench))
  const ownership = new Ownership(pair(bench.catalog, bench))
  await ownership.assert()
  const fresh = await bench.open('second.sqlite')
  await pairUp(pair(fresh, bench))
  await expect(ownership.assert()).rejects.toThrow('another service has taken the images in there')
  expect(ownership.problem).toMatch('another service has taken the images in there')
  await pairUp(pair(bench.catalog, bench))
  await ownership.renew()
  expect(ownership.problem).toBeNull()
})
