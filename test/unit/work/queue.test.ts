import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import { Queue, type Worker } from '../../../src/work/queue.ts'
import { newImage, openCatalog } from '../../support/catalog.ts'

const log = pino({ level: 'silent' })

/** A worker whose jobs end when the test says so. */
class HandWorker implements Worker {
  readonly begun: string[] = []
  readonly #ends = new Map<string, () => void>()
  readonly #catalog: Catalog
  readonly #waiting: (() => void)[] = []
  most = 0

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  async run({ imageUid }: { imageUid: string }): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#ends.set(imageUid, resolve)
    this.begun.push(imageUid)
    this.most = Math.max(this.most, this.#ends.size)
    for (const tell of this.#waiting.splice(0)) tell()
    await promise
    this.#ends.delete(imageUid)
    await this.#catalog.transaction(({ jobs }) => jobs.remove(imageUid))
  }

  progress = () => 0
  lose = () => {}

  async untilBegun(count: number): Promise<void> {
    while (this.begun.length < count) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  end(imageUid: string): void {
    this.#ends.get(imageUid)?.()
  }
}

async function withQueue(names: string[], concurrency: number) {
  const opened = await openCatalog()
  const { catalog, clock } = opened
  const add = async (name: string) => {
    await catalog.transaction(async ({ images, jobs }) => {
      await images.add(newImage(name))
      await jobs.add(`uid-${name}`)
    })
    clock.advance(1)
  }
  for (const name of names) await add(name)
  const worker = new HandWorker(catalog)
  const queue = new Queue({ catalog, worker, concurrency, now: clock.now, log })
  return { ...opened, worker, queue, add }
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
})
