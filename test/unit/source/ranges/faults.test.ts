import { buffer } from 'node:stream/consumers'
import type { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { content, forever, type Script } from '../../../support/http-neighbour.ts'
import { beside, failing } from '../visits.ts'
import {
  asked,
  file,
  openShared,
  part,
  ranges,
  sent,
  size,
  startOf,
  Steady,
  Waits,
} from './shared.ts'

const first = { pause: { at: 3 * part, until: forever } } as const
const whole = content(size)

/** What comes before a body fails: never anything else than the start of the file. */
async function given(body: Readable): Promise<number> {
  let length = 0
  try {
    for await (const chunk of body) {
      expect(chunk.equals(whole.subarray(length, length + chunk.length))).toBe(true)
      length += chunk.length
    }
  } catch (error) {
    expect(error).toMatchObject({ code: 'SOURCE_UNAVAILABLE' })
    return length
  }
  throw new Error('it did not fail')
}

describe('a part that breaks', () => {
  test.each(['end', 'reset'] as const)('goes on at its next byte (%s)', (how) =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth) => ({
        ...file,
        ...(nth === 1 ? first : {}),
        ...(nth === 3 ? { cut: { at: 100_000, how } } : {}),
      }))
      const waits = new Waits()
      const options = { ranges: ranges(new Steady(4), waits) }
      const { body } = await openShared(url, new Steady(4), { options })
      expect((await buffer(body)).equals(whole)).toBe(true)
      const broken = startOf(neighbour.requests[2]?.headers.range) ?? 0
      const later = asked(neighbour)
        .slice(3)
        .map((range) => startOf(range ?? undefined) ?? 0)
      const again = later.find((start) => start > broken && start <= broken + 100_000)
      if (how === 'end') expect(again).toBe(broken + 100_000)
      else expect(again).toBeDefined()
      expect(waits.heard).toEqual([])
      expect(sent(neighbour)).toBeLessThanOrEqual(size + 4 * part)
    }),
  )

  test('again and again makes all of it fail, as one connection does', () =>
    beside(async (neighbour) => {
      const bad = 6.5 * part
      const url = neighbour.serve('/x', (nth, { headers }) => {
        const start = startOf(headers.range)
        const isBad = start !== null && start <= bad && start + part > bad
        return {
          ...file,
          ...(nth === 1 ? first : {}),
          ...(isBad ? { cut: { at: bad - start, how: 'end' } } : {}),
        }
      })
      const waits = new Waits()
      const options = { ranges: ranges(new Steady(4), waits) }
      const { body } = await openShared(url, new Steady(4), { options })
      expect(await given(body)).toBe(bad)
      expect(body.errored?.message).toBe(`the source ended after ${bad} of ${size} bytes`)
      expect(asked(neighbour).filter((range) => range?.startsWith(`bytes=${bad}-`))).toHaveLength(5)
      expect(waits.heard).toHaveLength(4)
    }))

  test('before there were several fails at once', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', { ...file, cut: { at: 5 * part, how: 'end' } })
      const { body } = await openShared(url, new Steady(1))
      expect(await given(body)).toBeLessThanOrEqual(5 * part)
      expect(neighbour.requests).toHaveLength(1)
    }))

  test('is shorter than asked for goes on behind it', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth, { headers }) => {
        const start = startOf(headers.range) ?? 0
        if (nth !== 3) return { ...file, ...(nth === 1 ? first : {}) }
        const range = `bytes ${start}-${start + 999}/${size}`
        return { ...partial(range), bytes: content(1000, start) }
      })
      const { body } = await openShared(url, new Steady(4))
      expect((await buffer(body)).equals(whole)).toBe(true)
    }))
})

describe('a connection that is refused', () => {
  test.each([429, 503])('with %i is taken back, and the source gets its rest', (status) =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth) => {
        if (neighbour.open > 4) return refusal(status)
        return { ...file, ...(nth === 1 ? first : {}) }
      })
      const pace = new Steady(8)
      const { body } = await openShared(url, pace)
      expect((await buffer(body)).equals(whole)).toBe(true)
      expect(pace.refusals.length).toBeGreaterThan(0)
      expect(new Set(pace.refusals)).toEqual(new Set([7000]))
    }),
  )

  test('without an answer is taken back', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth, { socket }) => {
        if (neighbour.open > 4) socket.resetAndDestroy()
        return { ...file, ...(nth === 1 ? first : {}) }
      })
      const pace = new Steady(8)
      const { body } = await openShared(url, pace)
      expect((await buffer(body)).equals(whole)).toBe(true)
      expect(pace.refusals.length).toBeGreaterThan(0)
    }))

  test('when it is the second one leaves the first as it was', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth) => (nth === 1 ? file : refusal(503)))
      const pace = new Steady(2)
      const { body } = await openShared(url, pace)
      expect((await buffer(body)).equals(whole)).toBe(true)
      expect(pace).toMatchObject({ refusals: [7000], joins: 0, hasGivenUp: false })
      expect(neighbour.requests).toHaveLength(2)
    }))

  test('for good ends the tries of more', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth) => (nth === 1 ? file : { status: 403 }))
      const pace = new Steady(8)
      const { body } = await openShared(url, pace)
      expect((await buffer(body)).equals(whole)).toBe(true)
      expect(pace.hasGivenUp).toBe(true)
      expect(neighbour.requests).toHaveLength(2)
    }))

  test('when it is the last one is tried again, and at last an outage', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth) => {
        return nth < 4 ? { ...file, ...(nth === 1 ? first : {}) } : refusal(503)
      })
      const waits = new Waits()
      const options = { ranges: ranges(new Steady(2), waits) }
      const { body } = await openShared(url, new Steady(2), { options })
      await given(body)
      expect(body.errored).toMatchObject({ retryAfter: 7000 })
      expect(waits.heard).toHaveLength(5)
      expect(Math.min(...waits.heard)).toBeGreaterThanOrEqual(7000)
    }))

  test('for good when it is the last one leaves the verdict to the next opening', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth) => {
        return nth < 4 ? { ...file, ...(nth === 1 ? first : {}) } : { status: 403 }
      })
      const { body } = await openShared(url, new Steady(2))
      await given(body)
      expect(body.errored?.message).toContain('403')
      await failing(openShared(url, new Steady(2)), 'SOURCE_REFUSED')
    }))
})

describe('a source that offers ranges and knows none', () => {
  test('is asked once more, and gives all over its first connection', () =>
    beside(async (neighbour) => {
      const { ranges: _, ...plain } = file
      const url = neighbour.serve('/x', plain)
      const pace = new Steady(8)
      const { body } = await openShared(url, pace)
      expect((await buffer(body)).equals(whole)).toBe(true)
      expect(pace.hasGivenUp).toBe(true)
      expect(neighbour.requests).toHaveLength(2)
    }))

  test('and lies instead is found out', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', { ...file, ranges: 'lying' })
      const pace = new Steady(8)
      const { body } = await openShared(url, pace)
      expect((await buffer(body)).equals(whole)).toBe(true)
      expect(pace.hasGivenUp).toBe(true)
      expect(neighbour.requests).toHaveLength(2)
    }))
})

const other = '"2"'

describe('nothing of two files is mixed', () => {
  const changes: readonly (readonly [string, (start: number) => Script])[] = [
    ['a whole one', () => ({ ...file, etag: other, seed: 2 })],
    ['a part with another ETag', (start) => ({ ...partOf(start, size), etag: other })],
    ['a part of another size', (start) => partOf(start, size + 1)],
    ['none, because it is shorter', () => ({ status: 416 })],
    ['a whole one of another size', () => ({ size: size - 1, seed: 2 })],
  ]
  test.each(changes)('when the source changes and gives %s', (_, change) =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth, { headers }) => {
        if (nth < 4) return { ...file, ...(nth === 1 ? first : {}) }
        return change(startOf(headers.range) ?? 0)
      })
      const { body } = await openShared(url, new Steady(4))
      expect(await given(body)).toBeLessThan(size)
      expect(body.errored?.message).toContain('has changed while it was fetched')
    }),
  )

  test.each(changes)('not even with the second request (%s)', (_, change) =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth, { headers }) =>
        nth === 1 ? { ...file, ...first } : change(startOf(headers.range) ?? 0),
      )
      const { body } = await openShared(url, new Steady(4))
      expect(await given(body)).toBeLessThanOrEqual(3 * part)
    }),
  )

  test.each([
    ['another part', (start: number) => `bytes ${start - 1}-${start + part - 2}/${size}`],
    ['more', (start: number) => `bytes ${start}-${start + part}/${size}`],
    ['what cannot be', (start: number) => `bytes ${start}-${start - 1}/${size}`],
    ['no name', () => 'bytes'],
  ] as const)('when a 206 gives %s', (_, named) =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth, { headers }) => {
        if (nth !== 5) return { ...file, ...(nth === 1 ? first : {}) }
        return { ...partial(named(startOf(headers.range) ?? 0)), size: part }
      })
      const { body } = await openShared(url, new Steady(4))
      expect(await given(body)).toBeLessThan(size)
      expect(body.errored?.message).toContain('answered 206 with others')
    }),
  )
})

function partial(range: string): Script {
  const { ranges: _, ...plain } = file
  return { ...plain, status: 206, headers: { 'content-range': range } }
}

/** A true part, of what says to be a file of this size. */
function partOf(start: number, of: number): Script {
  return { ...partial(`bytes ${start}-${start + 999}/${of}`), size: 1000, seed: 2 }
}

function refusal(status: number): Script {
  return { status, size: 0, headers: { 'retry-after': '7' } }
}
