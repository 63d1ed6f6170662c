import {
  array,
  assert,
  asyncProperty,
  boolean,
  constant,
  constantFrom,
  integer,
  nat,
  oneof,
  record,
} from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Outage } from '../../../src/errors.ts'
import { WorkQueue, type Lane } from '../../../src/sync/queue.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

type Piece = { readonly key: string; readonly end: (error?: unknown) => void }

/** A queue whose work ends when the test says so. */
function open(workers: number, bornAt?: (key: string) => number) {
  const failures: string[] = []
  const queue = new WorkQueue({
    random: () => 0,
    onFailure: (key) => failures.push(key),
    ...(bornAt && { bornAt }),
  })
  const begun: string[] = []
  const atWork: Piece[] = []
  const stop = new AbortController()
  const work = async (key: string) => {
    begun.push(key)
    const ended = Promise.withResolvers<void>()
    const end = (error?: unknown) => {
      atWork.splice(atWork.indexOf(piece), 1)
      if (error === undefined) ended.resolve()
      else ended.reject(error)
    }
    const piece = { key, end }
    atWork.push(piece)
    await ended.promise
  }
  const run = () => queue.run(workers, work, stop.signal)
  return { queue, begun, atWork, failures, run, stop, settle: () => vi.advanceTimersByTimeAsync(0) }
}

/** Ends all work, one piece after the other, until there is none. */
async function workOff({ atWork, settle }: ReturnType<typeof open>): Promise<void> {
  for (await settle(); atWork.length > 0; await settle()) atWork[0]?.end()
}

describe('the work queue', () => {
  test('works on as many keys as there are workers, in the order in which they came', async () => {
    const opened = open(2)
    for (const key of ['c', 'a', 'b']) opened.queue.add(key)
    const ended = opened.run()
    await opened.settle()
    expect(opened.begun).toEqual(['c', 'a'])
    expect(opened.queue.depth).toBe(1)
    await workOff(opened)
    expect(opened.begun).toEqual(['c', 'a', 'b'])
    opened.stop.abort()
    await ended
  })

  test('takes a key that is added while it is worked on once more, not twice, not at once', async () => {
    const opened = open(2)
    const ended = opened.run()
    opened.queue.add('a')
    await opened.settle()
    for (const lane of ['later', 'first', 'later'] as const) opened.queue.add('a', lane)
    await opened.settle()
    expect(opened.begun).toEqual(['a'])
    await workOff(opened)
    expect(opened.begun).toEqual(['a', 'a'])
    opened.stop.abort()
    await ended
  })

  test('tries again what failed: 200 ms, doubling to a minute, until it is forgotten', async () => {
    const opened = open(1)
    const ended = opened.run()
    const waits: number[] = []
    opened.queue.add('a')
    for (let round = 0; round < 11; round += 1) {
      await opened.settle()
      if (round === 10) opened.queue.forget('a')
      opened.atWork[0]?.end(new Error('not now'))
      const before = performance.now()
      await opened.settle()
      while (opened.atWork.length === 0) await vi.advanceTimersToNextTimerAsync()
      waits.push(performance.now() - before)
    }
    expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 100])
    expect(opened.failures).toHaveLength(11)
    await workOff(opened)
    opened.stop.abort()
    await ended
  })

  test('comes back no earlier than whoever refused asked for', async () => {
    const opened = open(1)
    const ended = opened.run()
    opened.queue.add('a')
    await opened.settle()
    opened.atWork[0]?.end(new Outage('CLUSTER_UNAVAILABLE', 'busy', { retryAfter: 7000 }))
    await vi.advanceTimersByTimeAsync(6999)
    expect(opened.begun).toEqual(['a'])
    await vi.advanceTimersByTimeAsync(1)
    expect(opened.begun).toEqual(['a', 'a'])
    await workOff(opened)
    opened.stop.abort()
    await ended
  })

  test('of several delays lets the earliest hold', async () => {
    const opened = open(1)
    const ended = opened.run()
    opened.queue.addAfter('a', 500)
    opened.queue.addAfter('a', 100)
    opened.queue.addAfter('a', 900)
    await vi.advanceTimersByTimeAsync(100)
    expect(opened.begun).toEqual(['a'])
    await workOff(opened)
    await vi.advanceTimersByTimeAsync(5000)
    expect(opened.begun).toEqual(['a'])
    opened.stop.abort()
    await ended
  })

  test('brings forward what waits as soon as it may wait no more', async () => {
    const opened = open(1)
    for (const key of ['p', 'q']) opened.queue.add(key, 'later')
    for (const key of ['q', 'a', 'b', 'c']) opened.queue.add(key)
    opened.queue.add('a', 'later')
    expect(opened.queue.depth).toBe(5)
    const ended = opened.run()
    await workOff(opened)
    expect(opened.begun).toEqual(['q', 'a', 'b', 'p', 'c'])
    opened.stop.abort()
    await ended
  })

  test('keeps one worker free of what may wait', async () => {
    const opened = open(3)
    const ended = opened.run()
    for (const key of ['p', 'q', 'r']) opened.queue.add(key, 'later')
    await opened.settle()
    expect(opened.begun).toEqual(['p', 'q'])
    opened.queue.add('new')
    await opened.settle()
    expect(opened.begun).toEqual(['p', 'q', 'new'])
    await workOff(opened)
    expect(opened.begun.at(-1)).toBe('r')
    opened.stop.abort()
    await ended
  })

  test('ends when its signal does and its work has; what was cut short waits for the next run', async () => {
    const opened = open(1)
    const ended = opened.run()
    for (const key of ['a', 'b']) opened.queue.add(key)
    await opened.settle()
    opened.stop.abort()
    let hasEnded = false
    void ended.then(() => (hasEnded = true))
    await opened.settle()
    expect(hasEnded).toBe(false)
    opened.atWork[0]?.end(new Error('aborted'))
    await ended
    expect(opened.failures).toEqual([])
    expect(opened.queue.depth).toBe(2)
  })

  test('whatever is added and however work ends, never does a key twice at once, loses none, starves none', async () => {
    const key = constantFrom('a', 'b', 'c', 'd', 'e')
    const lane = constantFrom<Lane>('first', 'later')
    const step = oneof(
      record({ kind: constant('add' as const), key, lane }),
      record({ kind: constant('after' as const), key, lane, wait: nat(400) }),
      record({ kind: constant('end' as const), at: nat(), fails: boolean() }),
      record({ kind: constant('pass' as const), time: nat(500) }),
    )
    await assert(
      asyncProperty(
        nat(2),
        boolean(),
        array(step, { maxLength: 60 }),
        async (more, ages, steps) => {
          const opened = open(more + 1, ages ? (key) => key.charCodeAt(0) : undefined)
          const { queue, atWork, begun } = opened
          const ended = opened.run()
          /** Keys that have been asked for, and how often each had been begun by then. */
          const asked = new Map<string, number>()
          const count = (key: string) => begun.filter((one) => one === key).length
          for (const one of steps) {
            if (one.kind === 'add' || one.kind === 'after') asked.set(one.key, count(one.key))
            if (one.kind === 'add') queue.add(one.key, one.lane)
            if (one.kind === 'after') queue.addAfter(one.key, one.wait, one.lane)
            if (one.kind === 'end') {
              atWork[one.at % Math.max(1, atWork.length)]?.end(
                one.fails ? new Error('no') : undefined,
              )
            }
            await vi.advanceTimersByTimeAsync(one.kind === 'pass' ? one.time : 0)
            expect(new Set(atWork.map((piece) => piece.key)).size).toBe(atWork.length)
            expect(atWork.length).toBeLessThanOrEqual(more + 1)
          }
          for (let round = 0; round < 3; round += 1) {
            await workOff(opened)
            await vi.advanceTimersByTimeAsync(60_000)
          }
          await workOff(opened)
          for (const [key, before] of asked) expect(count(key)).toBeGreaterThan(before)
          expect(queue.depth).toBe(0)
          opened.stop.abort()
          await ended
        },
      ),
      { numRuns: 60 },
    )
  })

  test('gives every other turn to the youngest, and the others to those who have waited for longest', async () => {
    const opened = open(1, Number)
    for (const key of ['3', '1', '4', '2']) opened.queue.add(key)
    const ended = opened.run()
    await opened.settle()
    opened.queue.add('9')
    await workOff(opened)
    expect(opened.begun).toEqual(['3', '9', '1', '4', '2'])
    opened.stop.abort()
    await ended
  })

  test('serves what may wait at least every fourth time, and what comes first otherwise', async () => {
    await assert(
      asyncProperty(
        integer({ min: 1, max: 30 }),
        integer({ min: 1, max: 30 }),
        async (firsts, laters) => {
          const opened = open(1)
          for (let one = 0; one < laters; one += 1) opened.queue.add(`later-${one}`, 'later')
          for (let one = 0; one < firsts; one += 1) opened.queue.add(`first-${one}`)
          const ended = opened.run()
          await workOff(opened)
          const text = opened.begun.map((key) => key[0]).join('')
          expect(text).toHaveLength(firsts + laters)
          expect(text).toMatch(/^(?:fffl)*f{0,3}l*$|^(?:fffl)*f*$/)
          opened.stop.abort()
          await ended
        },
      ),
      { numRuns: 40 },
    )
  })
})
