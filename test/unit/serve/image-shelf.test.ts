import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import type { Image, NewImage } from '../../../src/catalog/images.ts'
import { ImageShelf } from '../../../src/serve/api/image-shelf.ts'
import { Presenter } from '../../../src/serve/api/present.ts'
import { Progress } from '../../../src/work/progress.ts'
import { ServerKey } from '../../../src/work/server-key.ts'
import { newImage, openCatalog } from '../../support/catalog.ts'
import { provisioning, ready, terminating } from '../../support/feed.ts'

/** Tells what it was asked for, and waits where it is told to. */
class WatchedPresenter extends Presenter {
  readonly shown: string[] = []
  held: Promise<void> | null = null

  override async show(image: Image) {
    this.shown.push(image.name)
    await this.held
    return await super.show(image)
  }
}

async function openShelf() {
  const opened = await openCatalog()
  const { catalog, clock } = opened
  const progress = new Progress(clock.now)
  const key = new ServerKey(randomBytes(32))
  const names = () => ({ external: 'http://a', inCluster: 'http://a', registryHost: 'a' })
  const presenter = new WatchedPresenter({ catalog, progress, key, names })
  const shelf = new ImageShelf(catalog, presenter)
  return {
    ...opened,
    progress,
    presenter,
    add: (name: string, changes: Partial<NewImage> = {}) =>
      catalog.transaction(({ images }) => images.add(newImage(name, changes))),
    change: (uid: string, change: typeof ready) =>
      catalog.transaction(({ images }) => images.change(uid, change)),
    remove: (name: string) =>
      catalog.transaction(({ images }) => images.remove({ name, uid: `uid-${name}` })),
    tag: async (name: string) => (await shelf.find(name, true)).tag.whole,
    json: async (name: string, mayWrite: boolean) => (await shelf.find(name, mayWrite)).json,
  }
}

test('an image that stands is looked at once, and again after each change', async () => {
  await using open = await openShelf()
  await open.add('a')
  const pending = await open.tag('a')
  expect(await open.tag('a')).toBe(pending)
  expect(open.presenter.shown).toEqual(['a'])
  await open.change('uid-a', provisioning)
  await open.change('uid-a', ready)
  expect(await open.tag('a')).not.toBe(pending)
  expect(await open.json('a', true)).toContain('"phase":"Ready"')
  expect(open.presenter.shown).toEqual(['a', 'a'])
})

test('a change of another image makes nobody look again', async () => {
  await using open = await openShelf()
  await open.add('a')
  await open.add('b')
  await open.tag('a')
  await open.change('uid-b', provisioning)
  await open.tag('a')
  expect(open.presenter.shown).toEqual(['a'])
})

test('what was read before a change is not kept after it', async () => {
  await using open = await openShelf()
  await open.add('a')
  const held = Promise.withResolvers<void>()
  open.presenter.held = held.promise
  const early = open.json('a', true)
  await expect.poll(() => open.presenter.shown).toEqual(['a'])
  await open.change('uid-a', terminating)
  held.resolve()
  expect(await early).toContain('"phase":"Pending"')
  expect(await open.json('a', true)).toContain('"phase":"Terminating"')
})

test('while bytes are coming nothing is kept', async () => {
  await using open = await openShelf()
  await open.add('a')
  await open.change('uid-a', provisioning)
  const transfer = open.progress.begin('uid-a', 0)
  transfer.expect(100)
  transfer.add(10)
  expect(await open.json('a', true)).toContain('"progress":"10%"')
  transfer.add(10)
  expect(await open.json('a', true)).toContain('"progress":"20%"')
})

test('who may only look is shown no upload, before and after one who may write', async () => {
  await using open = await openShelf()
  await open.add('a', { dataSource: { type: 'Upload' }, phase: 'WaitForUserUpload' })
  for (const mayWrite of [false, true, false]) {
    expect((await open.json('a', mayWrite)).includes('uploadCommand')).toBe(mayWrite)
  }
  expect(open.presenter.shown).toEqual(['a'])
})

test('a name that has gone to another image leads to that one', async () => {
  await using open = await openShelf()
  await open.add('a')
  await open.tag('a')
  await open.remove('a')
  await expect(open.tag('a')).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' })
  await open.add('a', { uid: 'uid-of-another' })
  expect(await open.json('a', true)).toContain('uid-of-another')
})

test('what is kept has a limit: of one image, and of all', async () => {
  await using open = await openShelf()
  const saying = (length: number) => ({
    ready: { reason: 'ProvisioningNotStarted' as const, message: 'x'.repeat(length) },
  })
  await open.add('large', saying(64 * 1024))
  await open.tag('large')
  await open.tag('large')
  expect(open.presenter.shown).toEqual(['large', 'large'])
  const many = Array.from({ length: 300 }, (_, index) => `image-${index}`)
  for (const name of many) await open.add(name, saying(30 * 1024))
  for (const name of many) await open.tag(name)
  open.presenter.shown.length = 0
  await open.tag('image-0')
  await open.tag('image-299')
  expect(open.presenter.shown).toEqual(['image-0'])
})
