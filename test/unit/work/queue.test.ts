import { describe, expect, test } from 'vitest'
import { openQueue } from '../../support/hand-worker.ts'

async function withQueue(names: string[], concurrency: number) {
  const opened = await openQueue(concurrency)
  for (const name of names) {
    await opened.add(name)
    opened.clock.advance(1)
  }
  return opened
}

describe('the queue', () => {
  test('runs as many jobs as allowed, oldest first, and the next when one ends', async () => {
    await using opened = await withQueue(['c', 'a', 'b', 'd'], 2)
    const { queue, worker } = opened
    queue.start()
    await worker.untilBegun(2)
    expect(worker.begun).toEqual(['uid-c', 'uid-a'])
    worker.end('uid-a')
    await worker.untilBegun(3)
    expect(worker.begun[2]).toBe('uid-b')
    worker.end('uid-c')
    await worker.untilBegun(4)
    for (const uid of ['uid-b', 'uid-d']) worker.end(uid)
    await queue.stop()
    expect(worker.most).toBe(2)
    expect(await opened.catalog.read.jobs.nextTurn()).toBeNull()
  })

  test('takes what comes while it runs, when it is told to look', async () => {
    await using opened = await withQueue([], 2)
    const { queue, worker, add } = opened
    queue.start()
    await add('late')
    queue.look()
    await worker.untilBegun(1)
    worker.end('uid-late')
    await queue.stop()
  })

  test('takes nothing more once it is stopped, and waits for what runs', async () => {
    await using opened = await withQueue(['a', 'b'], 1)
    const { queue, worker } = opened
    queue.start()
    await worker.untilBegun(1)
    const stopped = queue.stop()
    worker.end('uid-a')
    await stopped
    expect(worker.begun).toEqual(['uid-a'])
  })

  test('gives the slot of a job that waits for its next attempt to another one', async () => {
    await using opened = await withQueue(['a', 'b'], 1)
    const { queue, worker, clock } = opened
    queue.start()
    await worker.untilBegun(1)
    worker.end('uid-a', clock.time + 1000)
    await worker.untilBegun(2)
    clock.advance(1000)
    worker.end('uid-b')
    await worker.untilBegun(3)
    expect(worker.begun).toEqual(['uid-a', 'uid-b', 'uid-a'])
    worker.end('uid-a')
    await queue.stop()
  })

  test('begins references while imports have all slots, and no more of them than it can look at', async () => {
    await using opened = await withQueue(['import', 'next'], 1)
    const { queue, worker, add } = opened
    queue.start()
    await worker.untilBegun(1)
    const names = ['r1', 'r2', 'r3', 'r4', 'r5']
    for (const name of names) await add(name, 'reference')
    queue.look()
    await worker.untilBegun(5)
    worker.end('uid-r3')
    await worker.untilBegun(6)
    expect(worker.begun).toEqual(['uid-import', ...names.map((name) => `uid-${name}`)])
    for (const name of ['import', ...names]) worker.end(`uid-${name}`)
    await worker.untilBegun(7)
    worker.end('uid-next')
    await queue.stop()
    expect(worker.most).toBe(5)
  })
})
