import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { Catalog } from '../../../src/catalog/catalog.ts'
import { Clock } from '../../../src/work/clock.ts'
import { ClockWatch } from '../../../src/work/clock-watch.ts'
import { digestOf } from '../../../src/image/digest.ts'
import { newImage, TestClock } from '../../support/catalog.ts'
import { temporaryFolder } from '../../support/temporary.ts'

const day = 86_400_000
const log = pino({ level: 'silent' })
const digest = digestOf(Buffer.from('a blob'))

/** A clock over one that is set by hand, and a catalog in which everything waits that can. */
async function waiting(path = ':memory:') {
  const wall = new TestClock()
  let steady = 0
  const clock = new Clock({ wall: wall.now, steady: () => steady })
  const catalog = await Catalog.open({ path, now: clock.now })
  const pass = (milliseconds: number) => {
    wall.advance(milliseconds)
    steady += milliseconds
  }
  const begun = clock.now()
  await catalog.transaction(async (tables) => {
    await tables.images.add(newImage('a'))
    const ready = { reason: 'ProvisioningFailed', message: 'tried again' } as const
    const nextRetryAt = begun + 5000
    await tables.images.change('uid-a', { phase: 'Provisioning', ready, nextRetryAt })
    await tables.jobs.add('uid-a')
    const retryUntil = begun + 60_000
    await tables.jobs.postpone('uid-a', { runAfter: nextRetryAt, retryUntil, progress: 0 })
    const upload = { tokenHash: 'hash', imageUid: 'uid-b', attempt: 1, state: 'waiting' } as const
    await tables.uploads.add({ ...upload, expiresAt: begun + 900_000 })
    await tables.blobs.reserve({ digest, size: 6 }, 'pushed', 600_000)
    await tables.leases.grant(digest, 'pushed', 'some/repository', 600_000)
    await tables.pushSessions.add({ id: 'a', repository: 'some/repository', algorithm: 'sha256' })
    await tables.maintenance.add({ id: 'gc', kind: 'gc', options: {} })
    await tables.maintenance.end('gc', 'done')
  })
  const left = async () => {
    const { images, jobs, uploads, leases, pushSessions, maintenance } = catalog.read
    const upload = await uploads.byTokenHash('hash')
    const run = await maintenance.newest('gc')
    return {
      retry: ((await images.byUid('uid-a'))?.nextRetryAt ?? 0) - clock.now(),
      turn: ((await jobs.nextTurn()) ?? 0) - clock.now(),
      patience: ((await jobs.retryUntil('uid-a')) ?? 0) - clock.now(),
      upload: (upload?.expiresAt ?? 0) - clock.now(),
      lease: ((await leases.end(digest, 'pushed')) ?? 0) - clock.now(),
      idle: await pushSessions.idleFor(1000),
      collected: clock.now() - (run?.startedAt ?? 0),
    }
  }
  const dispose = () => catalog[Symbol.asyncDispose]()
  return { catalog, clock, wall, pass, left, [Symbol.asyncDispose]: dispose }
}

const asBegun = {
  retry: 5000,
  turn: 5000,
  patience: 60_000,
  upload: 900_000,
  lease: 600_000,
  idle: [],
  collected: 0,
}

/** Looks at the machine's clock once more, and goes. */
async function look(watch: ClockWatch): Promise<void> {
  await watch[Symbol.asyncDispose]()
}

describe('a clock that is set while the service runs', () => {
  test.each([day, -day, 5000, -5000])('by %i ms takes along all that waits', async (by) => {
    await using opened = await waiting()
    const { catalog, clock, wall, left } = opened
    const watch = await ClockWatch.open({ catalog, clock, log })
    const before = clock.now()
    wall.advance(by)
    expect(clock.now()).toBe(before)
    expect(await left()).toEqual(asBegun)
    await look(watch)
    expect(clock.now()).toBe(before + by)
    expect(await left()).toEqual(asBegun)
  })

  test('leaves everything as it is when the catalog cannot be written', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'catalog.sqlite')
    await using opened = await waiting(path)
    const { catalog, clock, wall, left } = opened
    const watch = await ClockWatch.open({ catalog, clock, log })
    const before = clock.now()
    wall.advance(day)
    const beside = new Sqlite(path)
    beside.exec("create trigger full before insert on facts begin select raise(abort, 'full'); end")
    beside.close()
    await look(watch)
    expect(clock.now()).toBe(before)
    expect(await left()).toEqual(asBegun)
  })

  test('follows one that goes a little wrong without a word', async () => {
    await using opened = await waiting()
    const { catalog, clock, wall, pass, left } = opened
    const watch = await ClockWatch.open({ catalog, clock, log })
    pass(1000)
    wall.advance(400)
    await look(watch)
    expect(clock.now()).toBe(wall.now())
    expect(await left()).toMatchObject({ upload: 900_000 - 1400 })
  })
})

describe('a clock that was set while no service ran', () => {
  async function restarted(by: number) {
    const opened = await waiting()
    const { catalog, wall, left } = opened
    await look(await ClockWatch.open({ catalog, clock: opened.clock, log }))
    wall.advance(by)
    const clock = new Clock({ wall: wall.now, steady: () => 0 })
    opened.clock.set(by)
    await look(await ClockWatch.open({ catalog, clock, log }))
    return { ...opened, left }
  }

  test('back is noticed at the start: nothing waits for a day more', async () => {
    await using opened = await restarted(-day)
    expect(await opened.left()).toEqual(asBegun)
  })

  test('forward is time that has passed', async () => {
    await using opened = await restarted(600_000)
    expect(await opened.left()).toMatchObject({ upload: 300_000, lease: 0 })
  })
})
