import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { finished } from 'node:stream/promises'
import { describe, expect, test } from 'vitest'
import { content, forever } from '../../../support/http-neighbour.ts'
import { beside } from '../visits.ts'
import {
  Counter,
  asked,
  etag,
  file,
  openShared,
  part,
  sent,
  size,
  startOf,
  Steady,
} from './shared.ts'

/** The first answer gives so much and no more: what it gives beyond its cut is known then. */
const first = { pause: { at: 3 * part, until: forever } } as const
const whole = content(size)
const patience = { timeout: 10_000 }

describe('a large file', () => {
  test('comes whole and in order over eight connections, which are kept', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth) => ({ ...file, ...(nth === 1 ? first : {}) }))
      const tally = new Counter()
      const { body, ...opened } = await openShared(url, new Steady(8), { tally })
      expect(opened).toMatchObject({ size, offset: 0, version: etag })
      expect((await buffer(body)).equals(whole)).toBe(true)
      expect(tally).toMatchObject({ total: size, sum: size })
      expect(neighbour.atOnce).toBeLessThanOrEqual(8)
      expect(neighbour.connections).toBeLessThanOrEqual(9)
      expect(neighbour.requests.length).toBeGreaterThan(12)
    }))

  test('is asked for once, but for what the first connection had begun to send', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth) => ({ ...file, ...(nth === 1 ? first : {}) }))
      await buffer((await openShared(url, new Steady(8))).body)
      const [plain, ...parts] = neighbour.requests
      expect(plain?.headers).not.toHaveProperty('range')
      expect(plain?.headers).not.toHaveProperty('if-range')
      for (const { headers } of parts) expect(headers['if-range']).toBe(etag)
      expect(new Set(asked(neighbour)).size).toBe(neighbour.requests.length)
      expect(sent(neighbour)).toBeLessThanOrEqual(size + 3 * part)
    }))

  test('goes on from an offset', () =>
    beside(async (neighbour) => {
      const offset = 3 * part + 5
      const url = neighbour.serve('/x', { ...file, headers: {} })
      const tally = new Counter()
      const from = { offset, version: etag }
      const { body, ...opened } = await openShared(url, new Steady(4), { from, tally })
      expect(opened).toMatchObject({ size, offset, version: etag })
      expect((await buffer(body)).equals(whole.subarray(offset))).toBe(true)
      expect(tally).toMatchObject({ total: size, from: offset, sum: size - offset })
      expect(asked(neighbour)[0]).toBe(`bytes=${offset}-`)
      expect(neighbour.requests.length).toBeGreaterThan(2)
    }))

  test('is asked for no further than eight parts ahead of the reader', () =>
    beside(async (neighbour) => {
      let read = 0
      // What the reader has been given and has not counted yet: a chunk on its way, and one that waits.
      const slack = 2 * 64 * 1024
      const ahead: number[] = []
      const url = neighbour.serve('/x', (nth, { headers }) => {
        if (nth > 1) ahead.push((startOf(headers.range) ?? 0) + part - read)
        return { ...file, ...(nth === 1 ? first : {}) }
      })
      const { body } = await openShared(url, new Steady(8))
      for await (const chunk of body) read += chunk.length
      expect(read).toBe(size)
      expect(Math.max(...ahead)).toBeLessThanOrEqual(8 * part + slack)
    }))

  test('is not asked for any more when the reader stops', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth) => ({ ...file, ...(nth === 1 ? first : {}) }))
      const { body } = await openShared(url, new Steady(8))
      await once(body, 'readable')
      await expect.poll(() => neighbour.answering, patience).toBe(0)
      const count = neighbour.requests.length
      expect(count).toBeLessThanOrEqual(9)
      expect(sent(neighbour)).toBeLessThanOrEqual(3 * part + 8 * part)
      body.destroy()
    }))

  test('comes over one connection when no more are wanted', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', file)
      expect((await buffer((await openShared(url, new Steady(1))).body)).equals(whole)).toBe(true)
      expect(neighbour.requests).toHaveLength(1)
    }))

  test('goes on over one that asks for all the rest when the others are taken back', () =>
    beside(async (neighbour) => {
      const pace = new Steady(3)
      const url = neighbour.serve('/x', (nth) => {
        if (nth === 4) pace.wanted = 1
        return { ...file, ...(nth === 1 ? first : {}) }
      })
      expect((await buffer((await openShared(url, pace)).body)).equals(whole)).toBe(true)
      expect(asked(neighbour).at(-1)).toMatch(new RegExp(`^bytes=\\d+-${size - 1}$`))
      expect(neighbour.requests.length).toBeLessThan(8)
    }))
})

describe('one request is all there is', () => {
  test.each([
    ['for a file that is not large', { size: part }],
    ['where ranges are not offered', { headers: {} }],
    ['where they are refused', { headers: { 'accept-ranges': 'none' } }],
    ['without a version', { etag: 'W/"1"' }],
    ['without a length', { framing: 'chunked' }],
    ['for a coded file', { headers: { 'accept-ranges': 'bytes', 'content-encoding': 'gzip' } }],
  ] as const)('%s', (_, script) =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', { ...file, ...script })
      const bytes = await buffer((await openShared(url, new Steady(8))).body)
      expect(bytes.equals(content(bytes.length))).toBe(true)
      expect(asked(neighbour)).toEqual([null])
    }),
  )
})

describe('an abort', () => {
  test('ends all connections', () =>
    beside(async (neighbour) => {
      const aborter = new AbortController()
      const reason = new Error('shutting down')
      const url = neighbour.serve('/x', (nth) => ({
        ...file,
        pause: { at: nth === 1 ? 3 * part : 1000, until: forever },
      }))
      const { signal } = aborter
      const { body } = await openShared(url, new Steady(8), { signal })
      body.resume()
      await expect.poll(() => neighbour.answering, patience).toBe(8)
      aborter.abort(reason)
      await expect(finished(body)).rejects.toBe(reason)
      await neighbour.idle()
    }))

  test('ends those that have not answered yet', () =>
    beside(async (neighbour) => {
      const aborter = new AbortController()
      const url = neighbour.serve('/x', (nth) => {
        if (nth === 2) aborter.abort(new Error('enough'))
        return { ...file, pause: { at: nth === 1 ? part / 2 : 'head', until: forever } }
      })
      const { body } = await openShared(url, new Steady(8), { signal: aborter.signal })
      await expect(buffer(body)).rejects.toThrow('enough')
    }))

  test('or a reader that leaves ends those that are kept for the next part', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', file)
      const { body } = await openShared(url, new Steady(8))
      await once(body, 'readable')
      await expect.poll(() => neighbour.requests.length, patience).toBeGreaterThan(3)
      body.destroy()
      await once(body, 'close')
      await neighbour.idle()
    }))
})
