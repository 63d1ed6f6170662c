import { describe, expect, test } from 'vitest'
import { Outage } from '../../../src/errors.ts'
import type { Store } from '../../../src/store/store.ts'
import { lookOver } from '../../../src/work/presence.ts'
import { within } from '../../support/deadline.ts'
import { openHealth } from '../../support/health.ts'
import { log, openHealthBench, type HealthBench } from '../../support/health-bench.ts'
import { storeWith } from '../../support/store-with.ts'
import { hour, never } from '../../support/push-bench.ts'

const disk = Buffer.alloc(20_000, 'a disk ')
const other = Buffer.alloc(30_000, 'another disk ')
const week = 7 * 24 * hour

const looked = (bench: HealthBench, store: Store = bench.store, signal = never) =>
  lookOver({ ...bench, store, rate: null, log }, signal)

describe('after a start', () => {
  test('what is missing or cut short is found, and what is back', async () => {
    await using bench = await openHealthBench()
    const one = await bench.image('one', disk)
    const two = await bench.image('two', other)
    await bench.image('three', Buffer.alloc(10_000, 'sound'))
    const bytes = await bench.bytes(one.layer.digest)
    await bench.lose(one.layer.digest)
    await bench.cut(two.config.digest, 5)
    await looked(bench)
    expect((await bench.standing('one'))?.message).toContain('is missing')
    expect((await bench.standing('two'))?.message).toContain('has 5 bytes where')
    expect(await bench.phase('three')).toBe('Ready')
    await bench.restore(one.layer.digest, bytes)
    await looked(bench)
    expect([await bench.phase('one'), await bench.phase('two')]).toEqual(['Ready', 'ImageLost'])
  })

  test('what has its size again and other bytes stays lost', async () => {
    await using bench = await openHealthBench()
    const { layer } = await bench.image('one', disk)
    await bench.flip(layer.digest)
    await bench.scrub()
    await looked(bench)
    expect(await bench.phase('one')).toBe('ImageLost')
  })

  test('images are as their blobs are, whatever a crash has kept from being written', async () => {
    await using bench = await openHealthBench()
    const { layer } = await bench.image('one', disk)
    await bench.flip(layer.digest)
    await bench.catalog.transaction(async ({ damages }) => {
      for (const blob of await damages.list('', 10)) {
        if (blob.digest === layer.digest) await damages.tell(blob, 'is damaged')
      }
    })
    expect(await bench.phase('one')).toBe('Ready')
    await looked(bench)
    expect(await bench.phase('one')).toBe('ImageLost')
  })

  test('a store that cannot be reached loses nothing', async () => {
    await using bench = await openHealthBench()
    const { layer } = await bench.image('one', disk)
    await bench.lose(layer.digest)
    const stop = new AbortController()
    const store = storeWith(bench.store, {
      async probe() {
        queueMicrotask(() => stop.abort(new Error('enough')))
        throw new Outage('STORAGE_UNAVAILABLE', 'the store cannot be reached')
      },
    })
    await expect(looked(bench, store, stop.signal)).rejects.toThrow('enough')
    expect(await bench.phase('one')).toBe('Ready')
  })
})

async function withHealth(scrubSchedule: number | null) {
  const bench = await openHealthBench()
  const { catalog, store, clock } = bench
  const begin = (over: Store = store) =>
    openHealth({
      catalog,
      store: over,
      log,
      now: clock.now,
      collection: async () => {},
      settings: { scrubRate: 64 * 1024 * 1024, scrubSchedule },
    })
  return {
    ...bench,
    /** The service starts, and stops when nothing is due any more. */
    async serve(over?: Store) {
      const { upkeep, maintenance } = begin(over)
      upkeep.start()
      await within(5000, 'what is due', upkeep.settled())
      await maintenance.finished('scrub')
      await upkeep.stop()
      await maintenance.stop()
      return await catalog.read.maintenance.list(10)
    },
  }
}

describe('scrubs by a schedule', () => {
  test('begin a week after the first start, and a week after the last one', async () => {
    await using health = await withHealth(week)
    expect(await health.serve()).toEqual([])
    health.clock.advance(week - 1)
    expect(await health.serve()).toEqual([])
    health.clock.advance(1)
    expect(await health.serve()).toMatchObject([
      { kind: 'scrub', state: 'done', options: { rate: 64 * 1024 * 1024 } },
    ])
    health.clock.advance(week - 1)
    expect(await health.serve()).toHaveLength(1)
    health.clock.advance(1)
    expect(await health.serve()).toHaveLength(2)
  })

  test('never begin where that is said', async () => {
    await using health = await withHealth(null)
    await health.serve()
    health.clock.advance(10 * week)
    expect(await health.serve()).toEqual([])
  })

  test('are tried again an hour after a failure', async () => {
    await using health = await withHealth(week)
    await health.image('one', disk)
    await health.serve()
    health.clock.advance(week)
    const outage = async () => {
      throw new Outage('STORAGE_UNAVAILABLE', 'the store cannot be reached')
    }
    const failed = await health.serve(storeWith(health.store, { open: outage }))
    expect(failed).toMatchObject([{ state: 'failed', message: 'the store cannot be reached' }])
    expect(await health.phase('one')).toBe('Ready')
    expect(await health.serve()).toHaveLength(1)
    health.clock.advance(hour)
    expect(await health.serve()).toMatchObject([{ state: 'done' }, { state: 'failed' }])
  })
})
