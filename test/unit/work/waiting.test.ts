import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { Outage } from '../../../src/errors.ts'
import { Waiting } from '../../../src/work/waiting.ts'
import { newImage, openCatalog } from '../../support/catalog.ts'

const retryFor = 120_000
const failure = new Outage('SOURCE_UNAVAILABLE', 'the source broke the connection')

/** An import that waits by a clock of the test's own; `seen` is what the image told during each wait. */
async function importing() {
  const opened = await openCatalog()
  const { catalog, clock } = opened
  const seen: unknown[] = []
  const waits: number[] = []
  await catalog.transaction(async ({ images }) => {
    await images.add(newImage('a'))
    const ready = { reason: 'Provisioning', message: '' } as const
    await images.change('uid-a', { phase: 'Provisioning', ready })
  })
  const image = async () => {
    const found = await catalog.read.images.byUid('uid-a')
    if (!found) throw new Error('the image is gone')
    return found
  }
  const pause = async (milliseconds: number) => {
    const { phase, ready, retries, nextRetryAt } = await image()
    seen.push({ phase, reason: ready.reason, message: ready.message, retries, nextRetryAt })
    waits.push(milliseconds)
    clock.advance(milliseconds)
  }
  const log = pino({ level: 'silent' })
  const options = {
    catalog,
    retryFor,
    now: clock.now,
    steady: clock.now,
    random: () => 1,
    log,
    pause,
  }
  const waiting = new Waiting(await image(), options)
  const wait = (times: number, lost: number, how = failure) =>
    waiting.patience({ failure: how, times, lost }, AbortSignal.timeout(5000))
  return { ...opened, waiting, wait, image, seen, waits }
}

describe('an import whose source has broken off', () => {
  test('says so while it waits, and no more afterwards', async () => {
    await using opened = await importing()
    const { wait, image, seen, clock } = opened
    const begun = clock.time
    await wait(1, 5)
    const told = { phase: 'Provisioning', reason: 'ProvisioningFailed', message: failure.message }
    expect(seen).toEqual([{ ...told, retries: 1, nextRetryAt: begun + 1000 }])
    expect(await image()).toMatchObject({
      phase: 'Provisioning',
      ready: { reason: 'Provisioning', message: '' },
      source: { reason: 'DatasourceReady' },
      retries: 1,
      nextRetryAt: null,
    })
  })

  test('waits ever longer, as long as imports are tried again, when much would be lost', async () => {
    await using opened = await importing()
    const { wait, waits, waiting } = opened
    for (let times = 1; times <= 6; times += 1) await wait(times, 5)
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000])
    await expect(wait(7, 5)).rejects.toBe(failure)
    expect(waiting.until).toBe(1_700_000_000_000 + retryFor)
  })

  test('lets a later attempt go on after five tries, when nothing would be lost', async () => {
    await using opened = await importing()
    const { wait, image } = opened
    for (let times = 1; times <= 5; times += 1) await wait(times, 0)
    await expect(wait(6, 0)).rejects.toBe(failure)
    expect((await image()).retries).toBe(5)
  })

  test('has as much patience with the next break, once something has come', async () => {
    await using opened = await importing()
    const { wait, waits, clock } = opened
    for (let times = 1; times <= 6; times += 1) await wait(times, 5)
    clock.advance(retryFor)
    await wait(1, 5)
    expect(waits.at(-1)).toBe(1000)
  })

  test('comes no earlier than its source asks for', async () => {
    await using opened = await importing()
    const { wait, waits } = opened
    const busy = (retryAfter: number) =>
      new Outage('SOURCE_UNAVAILABLE', 'the source is busy', { retryAfter })
    await wait(1, 5, busy(90_000))
    expect(waits).toEqual([90_000])
    const later = busy(retryFor)
    await expect(wait(2, 5, later)).rejects.toBe(later)
  })

  test('ends with its image, which stays as it is', async () => {
    await using opened = await importing()
    const { wait, catalog, image } = opened
    await catalog.transaction(({ images }) =>
      images.change('uid-a', {
        phase: 'Terminating',
        ready: { reason: 'ProvisioningNotStarted', message: 'deleted' },
      }),
    )
    await wait(1, 5)
    expect(await image()).toMatchObject({ phase: 'Terminating', ready: { message: 'deleted' } })
  })
})
