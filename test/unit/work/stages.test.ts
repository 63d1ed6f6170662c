import { expect, test, vi } from 'vitest'
import { StageClock } from '../../../src/work/stages.ts'

/** A clock of stages on a time that is put forward by hand, in seconds. */
function handClock() {
  vi.useFakeTimers({ toFake: ['performance'] })
  const clock = new StageClock()
  return {
    clock,
    pass: (seconds: number) => void vi.advanceTimersByTime(seconds * 1000),
    seconds: () =>
      Object.fromEntries(
        Object.entries(clock.visits()).map(([stage, { seconds }]) => [stage, seconds]),
      ),
    [Symbol.dispose]: () => void vi.useRealTimers(),
  }
}

test('time in several stages at once belongs to the first of them that is at work', () => {
  using at = handClock()
  const { clock, pass } = at
  using storing = clock.enter('store')
  pass(1)
  using fetching = clock.enter('fetch')
  pass(2)
  using looking = clock.enter('inspect')
  pass(4)
  looking.leave()
  pass(8)
  fetching.leave()
  pass(16)
  storing.leave()
  pass(32)
  expect(at.seconds()).toEqual({ store: 17, fetch: 10, inspect: 4 })
})

test('a stage that two are in is left when both have left it', () => {
  using at = handClock()
  const one = at.clock.enter('fetch')
  const other = at.clock.enter('fetch')
  at.pass(1)
  one.leave()
  one.leave()
  at.pass(2)
  other.leave()
  at.pass(4)
  other.enter()
  at.pass(8)
  expect(at.seconds()).toEqual({ fetch: 11 })
})

test('a visit goes from the first time in a stage to the last', () => {
  using at = handClock()
  const stay = at.clock.enter('fetch')
  at.pass(1)
  stay.leave()
  at.pass(10)
  stay.enter()
  at.pass(1)
  stay[Symbol.dispose]()
  at.pass(5)
  const { from = 0, to = 0 } = at.clock.visits().fetch ?? {}
  expect(to - from).toBeCloseTo(12_000)
})
