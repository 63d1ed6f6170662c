import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { conditionsFor, isUnchanged } from '../../../src/source/conditional.ts'
import type { Validators } from '../../../src/source/source.ts'
import { content, type Neighbour, type Play } from '../../support/http-neighbour.ts'
import { beside, deadline, failing, placeAt, type Visit } from './visits.ts'

const url = 'https://example.com/a.img'
const date = 'Wed, 21 Oct 2015 07:28:00 GMT'
const later = 'Thu, 22 Oct 2015 07:28:00 GMT'
const long = '"0x8DC1234567890AB"'

const byTag: Validators = { url, etag: '"1"', lastModified: date }
const byLongTag: Validators = { url, etag: long, lastModified: date }
const byDate: Validators = { url, etag: null, lastModified: date }

describe('the conditions of a request', () => {
  const tag = { 'if-none-match': '"1"' }
  test.each([
    ['by the ETag', byTag, url, url, tag],
    ['by the date where there is no ETag', byDate, url, url, { 'if-modified-since': date }],
    ['with the query of the URL itself', byTag, `${url}?id=1`, `${url}?id=1`, tag],
    ['none to another path', byTag, 'https://example.com/b.img', url, {}],
    ['none to another host', byTag, 'https://example.org/a.img', url, {}],
    ['none to another query behind a redirect', byTag, `${url}?id=2`, `${url}?id=1`, {}],
    ['none by a date behind a redirect', byDate, url, 'https://example.org/', {}],
    [
      'by an ETag that names the bytes behind a redirect',
      byLongTag,
      `${url}?signature=2`,
      'https://example.org/',
      { 'if-none-match': long },
    ],
    ['none without validators', { ...byDate, lastModified: null }, url, url, {}],
  ] as const)('are %s', (_what, known, hop, start, headers) => {
    expect(conditionsFor(known, new URL(hop), new URL(start))).toEqual(headers)
  })
})

describe('a 304', () => {
  test.each([
    ['without a word', byTag, {}, true],
    ['with the same ETag and date', byTag, { etag: '"1"', 'last-modified': date }, true],
    ['with another ETag', byTag, { etag: '"2"' }, false],
    ['with a weak ETag', byTag, { etag: 'W/"1"' }, false],
    ['with another date', byTag, { etag: '"1"', 'last-modified': later }, false],
    ['with the same date', byDate, { 'last-modified': date }, true],
    ['with an older date', byDate, { 'last-modified': 'Tue, 20 Oct 2015 07:28:00 GMT' }, false],
    ['without the date that was asked about', byDate, {}, false],
  ] as const)('%s: %j, %j says that nothing changed: %j', (_what, known, headers, unchanged) => {
    const all = new Map<string, string>(Object.entries(headers))
    const field = (name: string) => all.get(name) ?? null
    expect(isUnchanged({ field }, known)).toBe(unchanged)
  })
})

describe('a source that is asked for what is new', () => {
  const size = 70_000
  const ask = async (to: string, known: Partial<Validators> = {}, visit: Visit = {}) => {
    const opened = await placeAt(to, visit).openUnlessSame?.(
      { ...byTag, url: to, ...known },
      deadline(),
    )
    return opened && { facts: opened.facts, bytes: await buffer(opened.body) }
  }
  const with304 = (play: Play) => (neighbour: Neighbour) => neighbour.serve('/a.img', play)

  test('has nothing when it answers 304', () =>
    beside(async (neighbour) => {
      const to = neighbour.serve('/a.img', { size, etag: '"1"', lastModified: date })
      expect(await ask(to)).toBeNull()
      expect(neighbour.requests.map(({ sent }) => sent)).toEqual([0])
    }))

  test('gives it in the same answer', () =>
    beside(async (neighbour) => {
      const to = neighbour.serve('/a.img', { size, etag: '"2"' })
      const answer = await ask(to)
      expect(answer?.bytes.equals(content(size))).toBe(true)
      expect(answer?.facts).toEqual({ url: to, etag: '"2"' })
      expect(neighbour.requests).toHaveLength(1)
    }))

  test.each([
    ['contradicts', with304({ size, etag: '"1"', headers: { etag: '"3"' } }), {}],
    ['nobody asked for', with304((nth) => (nth === 1 ? { status: 304 } : { size })), { url }],
  ])('is asked once more when its 304 is one that %s', (_what, serve, known) =>
    beside(async (neighbour) => {
      const answer = await ask(serve(neighbour), known)
      expect(answer?.bytes.equals(content(size))).toBe(true)
      expect(neighbour.requests).toHaveLength(2)
      expect(neighbour.requests[1]?.headers).not.toHaveProperty('if-none-match')
    }),
  )

  test('is asked at the end of its redirects, and for no more than its bytes', () =>
    beside(async (neighbour) => {
      const to = neighbour.serve('/a.img', (nth) => ({
        status: 302,
        headers: { location: `/b.img?signature=${nth}`, etag: long },
      }))
      const behind = neighbour.serve('/b.img', { size, etag: long })
      expect(await ask(to, { url: behind, etag: long })).toBeNull()
      expect(neighbour.requests.map(({ headers }) => headers['if-none-match'])).toEqual([
        undefined,
        long,
      ])
    }))

  test('refuses as it always does', () =>
    beside(async (neighbour) => {
      const work = ask(neighbour.serve('/a.img', { status: 401 }))
      await failing(work, 'SOURCE_REFUSED')
    }))

  test.each(['If-None-Match', 'if-modified-since', 'If-Match'])(
    'takes no %s from a user',
    (name) => {
      const auth = { headers: { [name]: '*' } }
      expect(() => placeAt(url, { section: { auth } })).toThrow(`http.auth.headers.${name}`)
    },
  )
})
