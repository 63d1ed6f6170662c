import { describe, expect, test } from 'vitest'
import { Stopped } from '../../../src/work/active.ts'
import { WriterLock } from '../../../src/work/writer-lock.ts'
import { TestClock } from '../../support/catalog.ts'

/** Milliseconds; see writer-lock.ts. */
const silence = 10_000
const patience = 30_000

const never = new AbortController().signal

function setUp() {
  const clock = new TestClock()
  return { clock, lock: new WriterLock(clock.now) }
}

/** Whether it has come to an end, once everything that is due has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol('open')
  const soon = new Promise((resolve) => setImmediate(() => resolve(open)))
  return (await Promise.race([promise.catch(() => {}), soon])) !== open
}

describe('the lock of a writer', () => {
  test('lets one in at a time', async () => {
    const { lock } = setUp()
    const first = await lock.enter(never)
    const second = lock.enter(never)
    const third = lock.enter(never)
    expect(await isSettled(second)).toBe(false)
    first[Symbol.dispose]()
    const writing = await second
    expect(await isSettled(third)).toBe(false)
    expect(lock.isHeld).toBe(true)
    writing[Symbol.dispose]()
    ;(await third)[Symbol.dispose]()
    expect(lock.isHeld).toBe(false)
  })

  test('is not taken from a writer that was heard of', async () => {
    const { lock, clock } = setUp()
    using first = await lock.enter(never)
    clock.advance(silence - 1)
    first.heard()
    clock.advance(silence - 1)
    void lock.enter(AbortSignal.timeout(100)).catch(() => {})
    expect(first.signal.aborted).toBe(false)
  })

  test('is taken from one that has been silent, which is told so', async () => {
    const { lock, clock } = setUp()
    const first = await lock.enter(never)
    clock.advance(silence)
    const second = lock.enter(never)
    expect(first.signal.aborted).toBe(true)
    expect(first.signal.reason).toEqual(new Stopped('taken over'))
    expect(await isSettled(second)).toBe(false)
    first[Symbol.dispose]()
    expect((await second).signal.aborted).toBe(false)
  })

  test('is not taken from one that works without its client', async () => {
    const { lock, clock } = setUp()
    using first = await lock.enter(never)
    first.finish()
    clock.advance(patience - 1)
    const waiting = lock.enter(AbortSignal.abort(new Error('gone')))
    await expect(waiting).rejects.toThrow('gone')
    expect(first.signal.aborted).toBe(false)
  })

  test('turns away those that come when sixteen wait already', async () => {
    const { lock } = setUp()
    const first = await lock.enter(never)
    const gone = new AbortController()
    const waiting = Array.from({ length: 16 }, () => lock.enter(gone.signal).catch(() => null))
    await expect(lock.enter(never)).rejects.toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      retryAfter: silence,
    })
    gone.abort(new Error('gone'))
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => null))
    first[Symbol.dispose]()
    using again = await lock.enter(never)
    expect(again.signal.aborted).toBe(false)
  })

  test('lets nobody wait longer than they want to', async () => {
    const { lock } = setUp()
    using first = await lock.enter(never)
    const gone = new AbortController()
    const waiting = lock.enter(gone.signal)
    gone.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
    expect(first.signal.aborted).toBe(false)
  })

  test('tells a writer to stop, and whoever waits for rest when it has', async () => {
    const { lock } = setUp()
    const first = await lock.enter(never)
    const rest = lock.settle(60_000, never)
    lock.cut('deleted')
    expect(first.signal.reason).toEqual(new Stopped('deleted'))
    expect(await isSettled(rest)).toBe(false)
    first[Symbol.dispose]()
    await rest
    await lock.settle(60_000, never)
  })

  test('does not keep who waits for rest longer than said', async () => {
    const { lock } = setUp()
    using first = await lock.enter(never)
    await lock.settle(1, never)
    expect(lock.isHeld).toBe(true)
    expect(first.signal.aborted).toBe(false)
  })
})
