import { describe, expect, test } from 'vitest'
import { Outage } from '../../../src/errors.ts'
import { parseDigest, type Digest } from '../../../src/image/digest.ts'
import type { Store } from '../../../src/store/store.ts'
import { Maintenance } from '../../../src/work/maintenance.ts'
import { scrub } from '../../../src/work/scrub.ts'
import { layerOf, log, openHealthBench, type HealthBench } from '../../support/health-bench.ts'
import { storeWith } from '../../support/store-with.ts'
import { chunk, never } from '../../support/push-bench.ts'

const disk = Buffer.alloc(20_000, 'a disk ')
const other = Buffer.alloc(30_000, 'another disk ')

/** Does something the first so many times that a blob is opened, behind its opening. */
function whenOpened(store: Store, digest: string, times: number, work: () => Promise<unknown>) {
  let left = times
  return storeWith(store, {
    async open(wanted, range, signal) {
      const opened = await store.open(wanted, range, signal)
      if (wanted === digest && (left -= 1) >= 0) await work()
      return opened
    },
  })
}

const unreadable = () => Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })

function failing(store: Store, isFailing: (digest: Digest) => boolean): Store {
  return storeWith(store, {
    async open(digest, range, signal) {
      if (isFailing(digest)) throw unreadable()
      return await store.open(digest, range, signal)
    },
  })
}

describe('the scrub', () => {
  test('finds one flipped bit, and every image that is made of it', async () => {
    await using bench = await openHealthBench()
    const { layer } = await bench.image('one', disk)
    await bench.image('twin', disk)
    await bench.image('other', other)
    await bench.flip(layer.digest)
    const progress = await bench.scrub()
    expect(await bench.standing('one')).toMatchObject({ reason: 'ImageLost' })
    expect((await bench.standing('one'))?.message).toMatch(
      new RegExp(
        `^the layer ${layer.digest} of the image is damaged: its bytes have the digest sha256:[0-9a-f]{64}; import it again with retry, or push the same bytes$`,
      ),
    )
    expect(await bench.phase('twin')).toBe('ImageLost')
    expect(await bench.phase('other')).toBe('Ready')
    expect(bench.told).toEqual([layer.digest])
    const { blobs, bytes } = await bench.catalog.read.damages.total()
    const inAll = { blobs, bytes, blobsInAll: blobs, bytesInAll: bytes }
    expect(progress).toMatchObject({ ...inAll, damaged: 1, mended: 0 })
  })

  test('tells events of what is lost, and tells nothing twice', async () => {
    await using bench = await openHealthBench()
    const { config } = await bench.image('one', disk)
    await bench.flip(config.digest, 3)
    const before = bench.catalog.newestEvent
    await bench.scrub()
    expect(bench.catalog.newestEvent).toBe(before + 1)
    expect(await bench.scrub()).toMatchObject({ damaged: 1 })
    expect(bench.catalog.newestEvent).toBe(before + 1)
    expect(bench.told).toEqual([config.digest])
  })

  test.each([
    ['is missing', (bench: HealthBench, digest: string) => bench.lose(digest)],
    ['has 10 bytes where', (bench: HealthBench, digest: string) => bench.cut(digest, 10)],
    ['has 90000 bytes where', (bench: HealthBench, digest: string) => bench.cut(digest, 90_000)],
  ])('finds a part that %s, and that it is back', async (words, damage) => {
    await using bench = await openHealthBench()
    const { layer, config, manifest } = await bench.image('one', disk)
    for (const { digest } of [layer, config, manifest]) {
      const bytes = await bench.bytes(digest)
      await damage(bench, digest)
      await bench.scrub()
      expect((await bench.standing('one'))?.message).toContain(words)
      await bench.restore(digest, bytes)
      expect(await bench.scrub()).toMatchObject({ damaged: 0, mended: 1 })
      expect(await bench.phase('one')).toBe('Ready')
    }
  })

  test('finds a layer that is not what the catalog says of it', async () => {
    await using bench = await openHealthBench()
    const stored = await bench.image('one', disk)
    await bench.catalog.transaction(({ images }) =>
      images.change('uid-one', {
        phase: 'Ready',
        ready: { reason: 'Ready', message: '' },
        stored: { ...stored, disk: { ...stored.disk, size: disk.length - 1 } },
      }),
    )
    await bench.scrub()
    expect((await bench.standing('one'))?.message).toContain('holds a raw of 20000 bytes')
  })

  test('takes what is deleted while it is read for no damage', async () => {
    await using bench = await openHealthBench()
    const { layer } = await bench.image('one', disk)
    const digest = parseDigest(layer.digest)
    const store = whenOpened(bench.store, digest, 1, async () => {
      await bench.catalog.transaction(({ manifests }) => manifests.removeAll('cvi/one'))
      await bench.collector.collect([digest])
    })
    await bench.flip(digest)
    expect(await bench.scrub(store)).toMatchObject({ damaged: 0 })
    expect(bench.told).toEqual([])
  })

  test.each([1, 2])('takes what is pushed again during read %i for sound', async (times) => {
    await using bench = await openHealthBench()
    const { layer } = await bench.image('one', disk)
    await bench.flip(layer.digest)
    const store = whenOpened(bench.store, layer.digest, times, async () => {
      const digest = parseDigest(layer.digest)
      await bench.pushes.whole('team/app', digest, chunk(layerOf(disk)), never)
    })
    expect(await bench.scrub(store)).toMatchObject({ damaged: 0 })
    expect(await bench.phase('one')).toBe('Ready')
    expect(bench.told).toEqual([])
  })

  test('does not take a blob that is about to come for a missing one', async () => {
    await using bench = await openHealthBench()
    const { layer } = await bench.image('one', disk)
    const coming = { digest: parseDigest(`sha256:${'0'.repeat(64)}`), size: 3 }
    await bench.catalog.transaction(({ blobs }) => blobs.reserve(coming, 'a push', 60_000))
    expect(await bench.scrub()).toMatchObject({ damaged: 0 })
    expect(await bench.catalog.read.blobs.size(coming.digest)).toBe(3)
    expect(await bench.phase('one')).toBe('Ready')
    expect(await bench.catalog.read.blobs.size(parseDigest(layer.digest))).toBe(layer.size)
  })
})

describe('a store in trouble', () => {
  test.each(['stat', 'open', 'probe'] as const)('by its %s loses no image', async (what) => {
    await using bench = await openHealthBench()
    const { layer } = await bench.image('one', disk)
    const outage = async () => {
      throw new Outage('STORAGE_UNAVAILABLE', 'the store cannot be reached')
    }
    // A store that has lost its blobs altogether is asked whether it is there.
    if (what === 'probe') await bench.lose(layer.digest)
    const scrubbed = bench.scrub(storeWith(bench.store, { [what]: outage }))
    await expect(scrubbed).rejects.toThrow('the store cannot be reached')
    expect(await bench.phase('one')).toBe('Ready')
  })

  test('by failing with one blob alone holds up no other, and the blob is no damage', async () => {
    await using bench = await openHealthBench()
    const stored = await bench.image('one', disk)
    const { layer } = await bench.image('other', other)
    await bench.flip(layer.digest)
    const failing = storeWith(bench.store, {
      async open(digest, range, signal) {
        if (digest === stored.layer.digest) throw new Outage('STORAGE_UNAVAILABLE', 'no quorum')
        return await bench.store.open(digest, range, signal)
      },
    })
    const progress = await bench.scrub(failing)
    expect(progress).toMatchObject({ unread: 1, damaged: 1 })
    expect(progress['warning']).toContain(`${stored.layer.digest} could not be read: no quorum`)
    expect(await bench.phase('one')).toBe('Ready')
    expect(await bench.phase('other')).toBe('ImageLost')
  })

  test('by one blob that the disk does not give loses its images', async () => {
    await using bench = await openHealthBench()
    const { layer } = await bench.image('one', disk)
    await bench.image('other', other)
    await bench.scrub(failing(bench.store, (digest) => digest === layer.digest))
    expect((await bench.standing('one'))?.message).toContain('cannot be read (EIO)')
    expect(await bench.phase('other')).toBe('Ready')
    expect(await bench.scrub()).toMatchObject({ damaged: 0, mended: 1 })
    expect(await bench.phase('one')).toBe('Ready')
  })

  test.each([
    [3, ['one']],
    [5, ['one', 'other']],
  ])('by giving none of %i blobs loses no image', async (blobs, names) => {
    await using bench = await openHealthBench()
    for (const name of names) await bench.image(name, name === 'one' ? disk : other)
    const scrubbed = bench.scrub(failing(bench.store, () => true))
    await expect(scrubbed).rejects.toThrow(`${blobs} blobs in a row cannot be read`)
    for (const name of names) expect(await bench.phase(name)).toBe('Ready')
  })
})

/** Scrubs as the service runs them; `opened` is told of each blob that is read. */
function maintenanceOn(bench: HealthBench, opened: (digest: Digest) => void): Maintenance {
  const { catalog, clock } = bench
  const store = storeWith(bench.store, {
    async open(digest, range, signal) {
      opened(digest)
      return await bench.store.open(digest, range, signal)
    },
  })
  const tasks = { gc: async () => {}, scrub: scrub({ catalog, store, checkup: bench.checkup }) }
  return new Maintenance({ catalog, tasks, now: clock.now, log })
}

describe('a scrub that is interrupted', () => {
  test('goes on where it was, and counts on', async () => {
    await using bench = await openHealthBench()
    for (const name of ['a', 'b', 'c']) await bench.image(name, Buffer.alloc(20_000, name))
    const { layer } = await bench.image('bad', disk)
    await bench.flip(layer.digest)
    const all = (await bench.catalog.read.damages.list('', 100)).map(({ digest }) => digest)
    const read: Digest[] = []
    const stopping: Promise<void>[] = []
    const first = maintenanceOn(bench, (digest) => {
      read.push(digest)
      if (read.length === 5) stopping.push(first.stop())
    })
    await first.start('scrub')
    await first.finished('scrub')
    await Promise.all(stopping)
    const interrupted = await bench.catalog.read.maintenance.newest('scrub')
    expect(interrupted).toMatchObject({ state: 'interrupted' })
    const second = maintenanceOn(bench, (digest) => void read.push(digest))
    expect(await second.goOn('scrub')).toMatchObject({ id: interrupted?.id })
    await second.finished('scrub')
    const done = await bench.catalog.read.maintenance.newest('scrub')
    expect(done).toMatchObject({ state: 'done', progress: { blobs: all.length, damaged: 1 } })
    expect([...new Set(read)]).toEqual(all)
    // The one at hand when it was interrupted, and the damaged one, are read twice.
    expect(read.length).toBeLessThanOrEqual(all.length + 2)
    expect(await bench.phase('bad')).toBe('ImageLost')
  })
})
