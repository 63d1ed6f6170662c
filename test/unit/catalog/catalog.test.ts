import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { Catalog } from '../../../src/catalog/catalog.ts'
import { lockFolder } from '../../../src/catalog/lock.ts'
import { newImage, openCatalog, storedOf } from '../../support/catalog.ts'
import { temporaryFolder } from '../../support/temporary.ts'

const everything = { limit: 100, after: null, phase: null, format: null, cdrom: null }

describe('a catalog', () => {
  test('keeps what was committed, through closing and opening', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'catalog.sqlite')
    {
      await using catalog = await Catalog.open({ path, now: Date.now })
      await catalog.transaction(({ images }) => images.add(newImage('one')))
    }
    await using catalog = await Catalog.open({ path, now: Date.now })
    expect(await catalog.read.images.byName('one')).toMatchObject({ uid: 'uid-one', attempt: 1 })
  })

  test('has changed nothing when a transaction throws, and announces nothing', async () => {
    await using opened = await openCatalog()
    const { catalog } = opened
    const heard: string[] = []
    catalog.watch('one', () => heard.push('one'))
    const failing = catalog.transaction(async ({ images, jobs }) => {
      await images.add(newImage('one'))
      await jobs.add('uid-one')
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await catalog.read.images.list(everything)).toEqual([])
    expect(await catalog.read.jobs.nextTurn()).toBeNull()
    expect(heard).toEqual([])
  })

  test('announces each changed image once a transaction is committed', async () => {
    await using opened = await openCatalog()
    const { catalog } = opened
    const heard: string[] = []
    // An emitter would throw for an unheard event of this very name.
    for (const name of ['error', 'one']) catalog.watch(name, () => heard.push(name))
    await catalog.transaction(async ({ images }) => {
      await images.add(newImage('one'))
      await images.add(newImage('error'))
      await images.add(newImage('unheard'))
      expect(heard).toEqual([])
    })
    expect(heard.toSorted()).toEqual(['error', 'one'])
  })

  test('tells what happened in the order in which it did, and where it stands after the next start', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'catalog.sqlite')
    const heard: string[] = []
    {
      await using catalog = await Catalog.open({ path, now: Date.now })
      expect(catalog.newestEvent).toBe(0)
      const unwatch = catalog.watchEvents((events) => {
        for (const { seq, kind, name } of events) heard.push(`${seq} ${kind} ${name}`)
        expect(catalog.newestEvent).toBe(events.at(-1)?.seq)
      })
      await catalog.transaction(async ({ images }) => {
        await images.add(newImage('one'))
        await images.add(newImage('two'))
        expect(catalog.newestEvent).toBe(0)
      })
      await catalog.transaction(({ images }) => images.remove({ name: 'one', uid: 'uid-one' }))
      unwatch()
      await catalog.transaction(({ images }) => images.remove({ name: 'two', uid: 'uid-two' }))
    }
    expect(heard).toEqual(['1 image one', '2 image two', '3 deleted one'])
    await using catalog = await Catalog.open({ path, now: Date.now })
    expect(catalog.newestEvent).toBe(4)
    const { events } = catalog.read
    expect(await events.after(1, 3, 10)).toEqual([
      { seq: 2, kind: 'image', name: 'two', uid: 'uid-two' },
      { seq: 3, kind: 'deleted', name: 'one', uid: 'uid-one' },
    ])
    expect([await events.oldest(), await events.newest()]).toEqual([1, 4])
  })

  test('written by a newer program is refused with a sentence, and left as it is', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'catalog.sqlite')
    await (await Catalog.open({ path, now: Date.now }))[Symbol.asyncDispose]()
    const database = new Sqlite(path)
    database.exec("insert into kysely_migration (name, timestamp) values ('9999-later', '2099')")
    database.close()
    await expect(Catalog.open({ path, now: Date.now })).rejects.toThrow(
      /written by a newer Slipway \(its schema has 9999-later\)/,
    )
  })

  test('can be probed for being writable', async () => {
    await using opened = await openCatalog()
    await expect(opened.catalog.probe()).resolves.toBeUndefined()
  })
})

describe('the data folder', () => {
  test('is held by one at a time, and free again afterwards', async () => {
    await using folder = await temporaryFolder()
    {
      using held = lockFolder(folder.path)
      expect(held).toBeDefined()
      expect(() => lockFolder(folder.path)).toThrow(/another Slipway is running on/)
    }
    using again = lockFolder(folder.path)
    expect(again).toBeDefined()
  })
})

describe('images', () => {
  test('go through their life, and only through it', async () => {
    await using opened = await openCatalog()
    const { catalog, clock } = opened
    await catalog.transaction(({ images }) => images.add(newImage('one')))
    clock.advance(1000)
    const provisioning = await catalog.transaction(({ images }) =>
      images.change('uid-one', {
        phase: 'Provisioning',
        ready: { reason: 'Provisioning', message: '' },
      }),
    )
    expect(provisioning).toMatchObject({
      phase: 'Provisioning',
      ready: { since: clock.time },
      source: { since: clock.time - 1000 },
    })
    const impossible = catalog.transaction(({ images }) =>
      images.change('uid-one', { phase: 'Pending', ready: { reason: 'Ready', message: '' } }),
    )
    await expect(impossible).rejects.toThrow('cannot go from Provisioning to Pending')
    const ready = await catalog.transaction(({ images }) =>
      images.change('uid-one', {
        phase: 'Ready',
        ready: { reason: 'Ready', message: '' },
        stored: storedOf('a'),
      }),
    )
    expect(ready?.stored).toEqual(storedOf('a'))
  })

  test('keep the time of a condition when only its message changes', async () => {
    await using opened = await openCatalog()
    const { catalog, clock } = opened
    await catalog.transaction(({ images }) => images.add(newImage('one')))
    const begun = clock.time
    clock.advance(5000)
    const image = await catalog.transaction(({ images }) =>
      images.change('uid-one', {
        phase: 'Pending',
        ready: { reason: 'ProvisioningNotStarted', message: 'still waiting' },
      }),
    )
    expect(image?.ready).toEqual({
      reason: 'ProvisioningNotStarted',
      message: 'still waiting',
      since: begun,
    })
  })

  test('that are being deleted stay so, whatever ends meanwhile', async () => {
    await using opened = await openCatalog()
    const { catalog } = opened
    const to = (phase: 'Terminating' | 'Ready') =>
      catalog.transaction(({ images }) =>
        images.change('uid-one', { phase, ready: { reason: 'Ready', message: '' } }),
      )
    await catalog.transaction(({ images }) => images.add(newImage('one')))
    expect(await to('Terminating')).toMatchObject({ phase: 'Terminating' })
    expect(await to('Ready')).toBeNull()
    expect(await catalog.read.images.byName('one')).toMatchObject({ phase: 'Terminating' })
  })

  test('that are gone change no more', async () => {
    await using opened = await openCatalog()
    const gone = await opened.catalog.transaction(({ images }) =>
      images.change('nobody', { phase: 'Ready', ready: { reason: 'Ready', message: '' } }),
    )
    expect(gone).toBeNull()
  })

  test('are listed by name, in pages, by phase, format and kind', async () => {
    await using opened = await openCatalog()
    const { catalog } = opened
    await catalog.transaction(async ({ images }) => {
      for (const name of ['c', 'a', 'b']) await images.add(newImage(name))
      const to = (phase: 'Provisioning' | 'Ready', format: 'iso' | 'qcow2') => ({
        phase,
        ready: { reason: 'Ready', message: '' } as const,
        stored: { ...storedOf('a'), format },
      })
      await images.change('uid-a', to('Provisioning', 'iso'))
      await images.change('uid-a', to('Ready', 'iso'))
      await images.change('uid-b', to('Provisioning', 'qcow2'))
    })
    const names = async (filter: object) =>
      (await catalog.read.images.list({ ...everything, ...filter })).map(({ name }) => name)
    expect(await names({})).toEqual(['a', 'b', 'c'])
    expect(await names({ limit: 1, after: 'a' })).toEqual(['b'])
    expect(await names({ phase: 'Pending' })).toEqual(['c'])
    expect(await names({ format: 'qcow2' })).toEqual(['b'])
    expect(await names({ cdrom: true })).toEqual(['a'])
    expect(await names({ cdrom: false })).toEqual(['b'])
  })
})
