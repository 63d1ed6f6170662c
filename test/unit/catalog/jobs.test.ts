import { describe, expect, test } from 'vitest'
import { newImage, openCatalog } from '../../support/catalog.ts'

const lease = 60_000

async function withJobs(...names: string[]) {
  const opened = await openCatalog()
  await opened.catalog.transaction(async ({ images, jobs }) => {
    for (const name of names) {
      await images.add(newImage(name))
      await jobs.add(`uid-${name}`)
      opened.clock.advance(1)
    }
  })
  const claim = (owner: string) =>
    opened.catalog.transaction(({ jobs }) => jobs.claim(owner, lease))
  return { ...opened, claim }
}

describe('jobs', () => {
  test('are taken oldest first, each by one worker', async () => {
    await using opened = await withJobs('b', 'a')
    const { claim } = opened
    expect((await claim('one'))?.imageUid).toBe('uid-b')
    expect((await claim('two'))?.imageUid).toBe('uid-a')
    expect(await claim('three')).toBeNull()
  })

  test('go to another worker when theirs was not heard of for the length of its lease', async () => {
    await using opened = await withJobs('a')
    const { claim, clock, catalog } = opened
    await claim('dead')
    clock.advance(lease)
    expect(await claim('late')).toBeNull()
    clock.advance(1)
    expect((await claim('late'))?.imageUid).toBe('uid-a')
    const beat = (owner: string) =>
      catalog.transaction(({ jobs }) => jobs.beat('uid-a', owner, lease, 500))
    expect(await beat('dead')).toBe(false)
    expect(await beat('late')).toBe(true)
  })

  test('stay with a worker that is heard of, and remember how far it was', async () => {
    await using opened = await withJobs('a')
    const { claim, clock, catalog } = opened
    await claim('alive')
    for (let beat = 0; beat < 5; beat += 1) {
      clock.advance(lease)
      await catalog.transaction(({ jobs }) => jobs.beat('uid-a', 'alive', lease, 420))
      expect(await claim('other')).toBeNull()
    }
    await catalog.transaction(({ jobs }) => jobs.release('uid-a', 425))
    expect((await claim('other'))?.progress).toBe(425)
  })

  test('wait for their next attempt, unless they are hurried', async () => {
    await using opened = await openCatalog()
    const { catalog, clock } = opened
    await catalog.transaction(async ({ images, jobs }) => {
      const dataSource = {
        type: 'ObjectRef',
        objectRef: { kind: 'ClusterVirtualImage', name: 'other' },
      } as const
      await images.add(newImage('a', { dataSource }))
      await jobs.add('uid-a')
      await jobs.postpone('uid-a', {
        runAfter: clock.time + 5000,
        retryUntil: clock.time + 9000,
        progress: 7,
      })
    })
    const claim = () => catalog.transaction(({ jobs }) => jobs.claim('w', lease))
    expect(await claim()).toBeNull()
    expect(await catalog.read.jobs.nextTurn()).toBe(clock.time + 5000)
    await catalog.transaction(({ jobs }) => jobs.hurryReferring('somebody-else'))
    expect(await claim()).toBeNull()
    await catalog.transaction(({ jobs }) => jobs.hurryReferring('other'))
    expect(await claim()).toMatchObject({
      imageUid: 'uid-a',
      retryUntil: clock.time + 9000,
      progress: 7,
    })
  })

  test('are taken in the order in which they became due', async () => {
    await using opened = await withJobs('a', 'b', 'c')
    const { claim, catalog, clock } = opened
    const later = { retryUntil: null, progress: 0 }
    await catalog.transaction(async ({ jobs }) => {
      await jobs.postpone('uid-a', { ...later, runAfter: clock.time + 20 })
      await jobs.postpone('uid-b', { ...later, runAfter: clock.time + 10 })
    })
    clock.advance(20)
    const taken = [await claim('one'), await claim('one'), await claim('one')]
    expect(taken.map((job) => job?.imageUid)).toEqual(['uid-c', 'uid-b', 'uid-a'])
  })

  test('that are due already keep their turn when they are hurried', async () => {
    await using opened = await openCatalog()
    const { catalog, clock } = opened
    const objectRef = { kind: 'ClusterVirtualImage', name: 'other' } as const
    await catalog.transaction(async ({ images, jobs }) => {
      await images.add(newImage('a', { dataSource: { type: 'ObjectRef', objectRef } }))
      await jobs.add('uid-a', { kind: 'reference' })
    })
    const due = clock.time
    clock.advance(10)
    await catalog.transaction(({ jobs }) => jobs.hurryReferring('other'))
    expect(await catalog.read.jobs.nextTurn()).toBe(due)
  })

  test('of the origin that has the fewest running come first, whoever runs them, unless the oldest is asked for', async () => {
    await using opened = await openCatalog()
    const { catalog, clock } = opened
    const origins = { a1: 'a', a2: 'a', a3: 'a', b1: 'b', b2: 'b' }
    for (const [name, origin] of Object.entries(origins)) {
      await catalog.transaction(({ jobs }) => jobs.add(name, { origin }))
      clock.advance(1)
    }
    const claim = async (owner: string, order: 'fair' | 'oldest' = 'fair') =>
      (await catalog.transaction(({ jobs }) => jobs.claim(owner, lease, { order })))?.imageUid
    expect(await claim('one')).toBe('a1')
    expect(await claim('two')).toBe('b1')
    expect(await claim('two', 'oldest')).toBe('a2')
    expect(await claim('one')).toBe('b2')
    // Those of a dead process count for nothing, and are first in line.
    clock.advance(lease + 1)
    await catalog.transaction(({ jobs }) => jobs.beat('b1', 'two', lease, 0))
    expect(await claim('three')).toBe('a1')
    expect(await claim('three')).toBe('a2')
  })

  test('are all free again after a crash of their only process', async () => {
    await using opened = await withJobs('a', 'b')
    const { claim, catalog } = opened
    await claim('dead')
    await claim('dead')
    await catalog.transaction(({ jobs }) => jobs.releaseAll())
    expect((await claim('new'))?.imageUid).toBe('uid-a')
  })
})
