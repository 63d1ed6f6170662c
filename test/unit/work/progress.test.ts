import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Progress } from '../../../src/work/progress.ts'
import { TestClock } from '../../support/catalog.ts'

function begin(floor = 0) {
  const clock = new TestClock()
  const progress = new Progress(clock.now)
  return { clock, progress, transfer: progress.begin('a', floor) }
}

describe('progress', () => {
  test('never goes back and reaches no hundred before the end', () => {
    const step = fc.record({ bytes: fc.nat(1000), wait: fc.nat(3000) })
    fc.assert(
      fc.property(fc.array(step), fc.nat(999), fc.nat(5000), (steps, floor, total) => {
        const { clock, transfer } = begin(floor)
        transfer.expect(total + 1)
        let last = floor
        for (const { bytes, wait } of steps) {
          clock.advance(wait)
          transfer.add(bytes)
          const { tenths } = transfer.snapshot()
          expect(tenths).toBeGreaterThanOrEqual(last)
          expect(tenths).toBeLessThanOrEqual(999)
          last = tenths ?? 0
        }
      }),
    )
  })

  test('goes on from what an earlier attempt had shown', () => {
    const { transfer } = begin(500)
    transfer.expect(1000)
    transfer.add(100)
    expect(transfer.snapshot()).toMatchObject({ tenths: 500, received: 100 })
    transfer.add(500)
    expect(transfer.snapshot().tenths).toBe(600)
  })

  test('is left out when the length is not known, and kept for the next attempt', () => {
    const { transfer } = begin(420)
    transfer.add(100)
    expect(transfer.snapshot()).toMatchObject({ tenths: null, received: 100 })
    expect(transfer.floor).toBe(420)
  })

  test('tells the speed since the beginning and of the last five seconds', () => {
    const { clock, transfer } = begin()
    for (let second = 0; second < 20; second += 1) {
      clock.advance(1000)
      transfer.add(second < 10 ? 1000 : 100)
    }
    const { average, current } = transfer.snapshot()
    expect(average).toBe(Math.round(11_000 / 20))
    expect(current).toBe(100)
  })

  test('slows down while nothing comes', () => {
    const { clock, transfer } = begin()
    clock.advance(1000)
    transfer.add(10_000)
    clock.advance(9000)
    expect(transfer.snapshot().current).toBeLessThanOrEqual(1000)
  })

  test('comes to a standstill when nothing comes for longer than what is measured', () => {
    const { clock, transfer } = begin()
    transfer.expect(1_000_000)
    for (let second = 0; second < 10; second += 1) {
      clock.advance(1000)
      transfer.add(1000)
    }
    clock.advance(5000)
    expect(transfer.snapshot()).toMatchObject({ current: 0, remaining: null })
    transfer.add(500)
    expect(transfer.snapshot()).toMatchObject({ current: 100, remaining: 9895 })
  })

  test('tells what the rest takes, of what was there before too, once a second has shown the speed', () => {
    const { clock, transfer } = begin()
    transfer.expect(100_000, 50_000)
    clock.advance(999)
    transfer.add(1000)
    expect(transfer.snapshot().remaining).toBeNull()
    clock.advance(1001)
    transfer.add(1000)
    expect(transfer.snapshot()).toMatchObject({ current: 1000, remaining: 48 })
    transfer.add(48_000)
    expect(transfer.snapshot().remaining).toBeNull()
  })

  test('tells no rest of what has no known length', () => {
    const { clock, transfer } = begin()
    clock.advance(2000)
    transfer.add(1000)
    expect(transfer.snapshot().remaining).toBeNull()
  })

  test('says when a transfer has ended, once, and not when its successor took its place', () => {
    const { progress, transfer } = begin()
    const heard: string[] = []
    const unwatch = progress.watchEnds((uid) => heard.push(uid))
    const next = progress.begin('a', 0)
    progress.end('a', transfer)
    progress.end('a', next)
    progress.end('a', next)
    expect(heard).toEqual(['a'])
    unwatch()
    progress.end('a', progress.begin('a', 0))
    expect(heard).toEqual(['a'])
  })

  test('is kept of a transfer that breaks off, until it is forgotten', () => {
    const { progress, transfer } = begin()
    transfer.expect(1000)
    transfer.add(300)
    progress.keep('a')
    progress.end('a', transfer)
    expect(progress.floor('a')).toBe(300)
    progress.forget('a')
    expect(progress.floor('a')).toBe(0)
  })

  test('of an attempt that was replaced does not end its successor', () => {
    const { progress, transfer } = begin()
    const next = progress.begin('a', 0)
    progress.end('a', transfer)
    expect(progress.of('a')).not.toBeNull()
    progress.end('a', next)
    expect(progress.of('a')).toBeNull()
  })
})
