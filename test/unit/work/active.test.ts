import { describe, expect, test } from 'vitest'
import { Active } from '../../../src/work/active.ts'
import { backoff } from '../../../src/work/backoff.ts'

describe('the wait before the next attempt', () => {
  test('doubles from a second to a minute, half of it by chance', () => {
    const least = (failures: number) => backoff(failures, null, () => 0)
    const most = (failures: number) => backoff(failures, null, () => 1)
    expect([1, 2, 3, 7, 8, 1000].map(most)).toEqual([1000, 2000, 4000, 60_000, 60_000, 60_000])
    expect([1, 2, 1000].map(least)).toEqual([500, 1000, 30_000])
  })

  test('is never shorter than what the source asked for', () => {
    expect(backoff(1, 120_000, () => 0)).toBe(120_000)
    expect(backoff(8, 10, () => 1)).toBe(60_000)
  })
})

describe('transfers', () => {
  test('are one for an image, and the second is told who has it', async () => {
    const active = new Active(() => 5)
    const { promise, resolve } = Promise.withResolvers<string>()
    const first = active.run('a', 'client 1', () => promise)
    expect(await active.run('a', 'client 2', () => promise)).toBeNull()
    expect(active.holder('a')).toMatchObject({ who: 'client 1', since: 5 })
    resolve('done')
    expect(await first).toEqual({ result: 'done' })
    expect(active.holder('a')).toBeNull()
  })

  test('are stopped with a reason, and waited for', async () => {
    const active = new Active(() => 0)
    let settled = false
    const running = active.run('a', 'x', async (signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      settled = true
      throw signal.reason
    })
    const failed = expect(running).rejects.toMatchObject({ why: 'deleted' })
    await active.stop('a', 'deleted')
    expect(settled).toBe(true)
    await failed
  })

  test('that begin while everything is being stopped are stopped, too', async () => {
    const active = new Active(() => 0)
    await active.stopAll('shutdown')
    const late = await active.run('a', 'x', (signal) => Promise.resolve(signal.aborted))
    expect(late).toEqual({ result: true })
  })
})
