import { setImmediate } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { Listener, openFeed, provisioning, ready, terminating } from '../../support/feed.ts'
import { everyone } from '../../../src/serve/auth/caller.ts'

describe('a stream of events', () => {
  test('begins with the whole state, whose last image bears the id', async () => {
    await using opened = await openFeed()
    for (const name of ['b', 'a']) await opened.add(name)
    await using listener = new Listener(opened.feed)
    expect(await listener.pull()).toMatchObject([{ event: 'reset', id: '' }])
    expect(await listener.pull()).toMatchObject([{ event: 'image', id: '' }])
    expect(await listener.pull()).toMatchObject([{ event: 'image', id: '2' }])
    expect(await listener.pull()).toBeNull()
    await opened.change('uid-a', provisioning)
    expect(await listener.all()).toEqual(['a Provisioning'])
    expect(listener.parser.lastId).toBe('3')
  })

  test('of nothing at all has its id at once', async () => {
    await using opened = await openFeed()
    await using listener = new Listener(opened.feed)
    expect(await listener.pull()).toMatchObject([{ event: 'reset', id: '0' }])
  })

  test('goes on behind the id, with each image once as it is now, and its end in its place', async () => {
    await using opened = await openFeed()
    await opened.add('a')
    await opened.change('uid-a', provisioning)
    await opened.change('uid-a', ready)
    await opened.add('b', 'first')
    await opened.change('first', terminating)
    await opened.remove('b', 'first')
    await opened.add('b', 'second')
    await using listener = new Listener(opened.feed, '1')
    expect(await listener.all()).toEqual(['a Ready', 'b deleted', 'b Pending'])
    expect(listener.parser.lastId).toBe('7')
    await using second = new Listener(opened.feed, '7')
    expect(await second.all()).toEqual([])
  })

  test('from a place that is ahead of all there were begins anew', async () => {
    await using opened = await openFeed()
    await opened.add('a')
    await using listener = new Listener(opened.feed, '2')
    expect(await listener.all()).toEqual(['reset', 'a Pending'])
    expect(listener.parser.lastId).toBe('1')
  })

  test('begins anew where what comes next is not kept any more, for who comes back and for who did not read', async () => {
    await using opened = await openFeed()
    await opened.add('a')
    await using listener = new Listener(opened.feed, '1')
    await using quick = new Listener(opened.feed, '1')
    expect(await listener.all()).toEqual([])
    await opened.change('uid-a', provisioning)
    expect(await listener.pull()).toHaveLength(1)
    const image = { name: 'b', uid: 'b' }
    await opened.catalog.transaction(async ({ events }) => {
      for (let count = 0; count < 10_010; count += 1) await events.append('deleted', image)
    })
    expect(await quick.all()).toEqual(['reset', 'a Provisioning'])
    expect(await listener.all()).toEqual(['reset', 'a Provisioning'])
    await using late = new Listener(opened.feed, '3')
    expect(await late.all()).toEqual(['reset', 'a Provisioning'])
    await using inTime = new Listener(opened.feed, '12')
    expect(new Set(await inTime.all())).toEqual(new Set(['b deleted']))
  })

  test('tells many changes in one piece of a bounded size, which those who see the same share', async () => {
    await using feed = await openFeed()
    await using one = new Listener(feed.feed)
    await using other = new Listener(feed.feed)
    await using viewer = new Listener(feed.feed)
    viewer.caller = { ...everyone, may: (_action, repository) => !repository.endsWith('img-7') }
    const all = [one, other, viewer]
    for (const { frames } of all) await frames.next()
    const names = Array.from({ length: 60 }, (_, index) => `img-${index}`)
    for (const name of names) await feed.add(name)
    const pieces = await Promise.all(all.map(({ frames }) => frames.next()))
    const [first, second, third] = pieces.map(({ value }) => value)
    expect(second).toBe(first)
    expect(third).not.toBe(first)
    expect(first?.length).toBeGreaterThan(16 * 1024)
    expect(first?.length).toBeLessThan(20 * 1024)
    const told = [first, third].map((piece) => piece?.toString() ?? '')
    expect(told.map((text) => text.includes('"img-7"'))).toEqual([true, false])
    const rest = (await one.all()).length
    expect(rest).toBeGreaterThan(0)
    expect(rest + (told[0]?.split('\n\n').length ?? 0) - 1).toBe(60)
  })

  test('of one image tells nothing of others, yet keeps the id up', async () => {
    await using opened = await openFeed()
    await opened.add('a')
    await opened.add('b')
    await using listener = new Listener(opened.feed, '1', 'a')
    await opened.change('uid-b', provisioning)
    expect(await listener.all()).toEqual([])
    await opened.second(15)
    expect(await listener.all()).toEqual([])
    expect(listener.parser).toMatchObject({ lastId: '3', comments: 1 })
    await opened.remove('a')
    expect(await listener.all()).toEqual(['a deleted'])
  })

  test('ends with the right to read, before anything more is told', async () => {
    await using opened = await openFeed()
    await using listener = new Listener(opened.feed)
    await listener.all()
    listener.caller = null
    await opened.add('a')
    expect(await listener.pull()).toBeUndefined()
    expect(opened.isTicking).toBe(false)
  })

  test('gives a sign of life every fifteen seconds, and leaves nothing behind', async () => {
    await using opened = await openFeed()
    {
      await using one = new Listener(opened.feed)
      await using other = new Listener(opened.feed)
      await Promise.all([one.all(), other.all()])
      await opened.second(45)
      await Promise.all([one.all(), other.all()])
      // One on its way and one that stands for the rest: for who does not read, they do not pile up.
      expect([one.parser.comments, other.parser.comments]).toEqual([2, 2])
      expect(opened).toMatchObject({ isTicking: true, feed: { watchers: 2 } })
    }
    expect(opened).toMatchObject({ isTicking: false, feed: { watchers: 0 } })
  })
})

describe('progress', () => {
  test('is told at most every second, to all who watch with one look, and only when it moves', async () => {
    await using opened = await openFeed()
    await opened.add('a')
    await opened.change('uid-a', provisioning)
    await using listeners = new AsyncDisposableStack()
    const all = Array.from({ length: 200 }, () => listeners.use(new Listener(opened.feed, '2')))
    const heard = async () => {
      // They are woken a few at a time.
      for (let turn = 0; turn < 4; turn += 1) await setImmediate()
      return new Set((await Promise.all(all.map((one) => one.all()))).map(String))
    }
    await opened.second()
    await heard()
    const looks = vi.spyOn(opened.catalog.read.images, 'byUid')
    const transfer = opened.progress.begin('uid-a', 0)
    transfer.expect(1000)
    for (let count = 0; count < 100; count += 1) transfer.add(1)
    expect(await heard()).toEqual(new Set(['']))
    await opened.second()
    expect(await heard()).toEqual(new Set(['a Provisioning']))
    expect(all.at(-1)?.mirror.all[0]?.status).toMatchObject({ progress: '10%' })
    expect(looks).toHaveBeenCalledTimes(1)
    await opened.change('uid-a', ready)
    expect(await heard()).toEqual(new Set(['a Ready']))
    expect(looks).toHaveBeenCalledTimes(2)
  })

  test('of a transfer that broke off is told once more without its speed', async () => {
    await using opened = await openFeed()
    await opened.add('a')
    await using listener = new Listener(opened.feed)
    const transfer = opened.progress.begin('uid-a', 0)
    await opened.change('uid-a', provisioning)
    expect(await listener.all()).toEqual(['reset', 'a Provisioning'])
    await opened.second()
    expect(await listener.all()).toEqual(['a Provisioning'])
    expect(listener.mirror.all[0]?.status).toHaveProperty('downloadSpeed')
    opened.progress.end('uid-a', transfer)
    await opened.second()
    expect(await listener.all()).toEqual(['a Provisioning'])
    expect(listener.mirror.all[0]?.status).not.toHaveProperty('downloadSpeed')
    await opened.second()
    expect(await listener.all()).toEqual([])
  })

  test('that was looked at before an image went is not told behind its end', async () => {
    await using opened = await openFeed()
    await opened.add('a')
    await opened.change('uid-a', provisioning)
    await using listener = new Listener(opened.feed)
    await listener.all()
    opened.progress.begin('uid-a', 0)
    const { promise: held, resolve } = Promise.withResolvers<void>()
    const show = opened.presenter.show.bind(opened.presenter)
    vi.spyOn(opened.presenter, 'show').mockImplementationOnce(async (image) => {
      const body = await show(image)
      await held
      return body
    })
    await opened.second()
    await opened.change('uid-a', terminating)
    await opened.remove('a')
    expect(await listener.all()).toEqual(['a deleted'])
    resolve()
    await opened.second()
    expect(await listener.all()).toEqual([])
  })
})
