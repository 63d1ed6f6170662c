import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { paced } from '../../../src/work/pace.ts'
import { HandTicker } from '../../support/hand-ticker.ts'
import { never } from '../../support/push-bench.ts'

test('bytes are read at a rate, once what was saved is used', async () => {
  const ticker = new HandTicker()
  const reading = { isOver: false }
  const read = async () => {
    await paced(1024, ticker)(10_240, never)
    reading.isOver = true
  }
  const taken = read()
  let time = 0
  for (; !reading.isOver && time < 20_000; time += 10) {
    ticker.runTo(time)
    await turn()
  }
  await taken
  expect(time).toBeGreaterThan(9500)
  expect(time).toBeLessThan(10_500)
})

test('who waits for his turn is let go', async () => {
  const stop = new AbortController()
  const taken = paced(1024, new HandTicker())(10_240, stop.signal)
  stop.abort(new Error('enough'))
  await expect(taken).rejects.toThrow('enough')
})
