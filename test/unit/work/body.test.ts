import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { untilIdle } from '../../../src/work/body.ts'

const limit = 1000
const { signal } = new AbortController()

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a body that is watched', () => {
  test('is given up when its sender is silent', () => {
    using watched = untilIdle(new PassThrough(), limit, signal)
    vi.advanceTimersByTime(limit - 1)
    expect(watched.signal.aborted).toBe(false)
    vi.advanceTimersByTime(1)
    expect(watched.signal.reason).toMatchObject({ code: 'UPLOAD_TIMEOUT' })
  })

  test('is not given up while its bytes wait to be taken', () => {
    const body = new PassThrough()
    using watched = untilIdle(body, limit, signal)
    body.write('some')
    vi.advanceTimersByTime(10 * limit)
    expect(watched.signal.aborted).toBe(false)
  })

  test('is not given up once all of it has come, however long the rest takes', async () => {
    const body = new PassThrough()
    using watched = untilIdle(body, limit, signal)
    body.end('all')
    expect(await body.toArray()).toHaveLength(1)
    vi.advanceTimersByTime(10 * limit)
    expect(watched.signal.aborted).toBe(false)
  })
})
