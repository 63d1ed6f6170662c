import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { Outage, Refusal } from '../../../src/errors.ts'
import { content } from '../../support/http-neighbour.ts'
import { beside, failing, open, placeAt, read } from './visits.ts'

const megabytes = 3 * 1024 * 1024 + 17
const modified = 'Tue, 03 Jun 2025 10:00:00 GMT'

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

const sent = async (user: string, auth: unknown) => {
  let authorization: string | undefined
  await beside(async (neighbour) => {
    const url = neighbour.serve('/disk.img', { size: 1 }).replace('//', `//${user}`)
    await read(url, { section: auth === null ? {} : { auth } })
    authorization = neighbour.requests[0]?.headers.authorization
  })
  return authorization
}

describe('a file', () => {
  test('comes whole, with its size, version and facts', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/disk.img', {
        size: megabytes,
        etag: '"one"',
        lastModified: modified,
      })
      const { body, ...opened } = await open(`${url}?signature=secret#part`)
      expect(opened).toEqual({
        size: megabytes,
        offset: 0,
        version: '"one"',
        facts: { url, etag: '"one"', lastModified: modified },
      })
      expect(body.readableHighWaterMark).toBeGreaterThanOrEqual(256 * 1024)
      expect((await buffer(body)).equals(content(megabytes))).toBe(true)
      expect(neighbour.connections).toBe(1)
    }))

  test('is asked for as it is, by name and version', () =>
    beside(async (neighbour) => {
      await read(neighbour.serve('/a%20~b', { size: 1 }))
      expect(neighbour.requests).toMatchObject([
        {
          method: 'GET',
          path: '/a%20~b',
          headers: { 'accept-encoding': 'identity', 'user-agent': 'slipway/test' },
        },
      ])
      expect(neighbour.requests[0]?.headers).not.toHaveProperty('range')
    }))

  test.each(['chunked', 'until close'] as const)('without a length is fine (%s)', (framing) =>
    beside(async (neighbour) => {
      const opened = await open(neighbour.serve('/disk.img', { size: megabytes, framing }))
      expect(opened.size).toBeNull()
      expect((await buffer(opened.body)).equals(content(megabytes))).toBe(true)
    }),
  )

  test('may be empty', () =>
    beside(async (neighbour) => {
      const opened = await open(neighbour.serve('/empty', { size: 0 }))
      expect(opened.size).toBe(0)
      expect(await buffer(opened.body)).toHaveLength(0)
    }))

  test('has its Last-Modified as version when its ETag is weak, and none without both', () =>
    beside(async (neighbour) => {
      const weak = await open(neighbour.serve('/weak', { etag: 'W/"1"', lastModified: modified }))
      const none = await open(neighbour.serve('/none', { etag: 'W/"1"' }))
      expect([weak.version, none.version]).toEqual([modified, null])
      weak.body.destroy()
      none.body.destroy()
    }))

  test.each([
    ['Tue, 03 Jun 2025 10:00:00 GMT', null],
    ['Tue, 03 Jun 2025 09:00:00 GMT', null],
    ['Tue, 03 Jun 2025 10:00:01 GMT', modified],
    ['no date', null],
  ])('has no version by a Last-Modified that may change yet (sent %s)', (date, version) =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', { lastModified: modified, headers: { date } })
      const opened = await open(url)
      opened.body.destroy()
      expect(opened.version).toBe(version)
    }),
  )

  test('in gzip is passed as it is, for the bytes tell what they are', () =>
    beside(async (neighbour) => {
      const headers = { 'content-encoding': 'gzip' }
      const url = neighbour.serve('/disk.img', { size: 1000, headers })
      expect(await read(url)).toHaveLength(1000)
    }))

  test('in a coding that cannot be unwrapped is refused', () =>
    beside(async (neighbour) => {
      const headers = { 'content-encoding': 'br' }
      await failing(read(neighbour.serve('/disk.img', { size: 9, headers })), 'SOURCE_REFUSED')
    }))

  test('is not fetched faster than it is read', () =>
    beside(async (neighbour) => {
      const size = 256 * 1024 * 1024
      const { body } = await open(neighbour.serve('/disk.img', { size }))
      await once(body, 'readable')
      body.destroy()
      await neighbour.idle()
      expect(neighbour.requests[0]?.sent).toBeLessThan(size / 4)
    }))
})

describe('a section', () => {
  test.each([
    [{ url: 'ftp://example.com/' }, 'http.url'],
    [{ url: 'https://example.com/', extra: 1 }, 'http'],
    [{ url: 'https://example.com/', auth: { headers: { Host: 'x' } } }, 'http.auth.headers.Host'],
  ])('%j is refused and the field is named', (section, path) => {
    const refused = expect.objectContaining({ code: 'INVALID_REQUEST' })
    expect(() => placeAt(section.url, { section })).toThrow(refused)
    expect(() => placeAt(section.url, { section })).toThrow(
      expect.objectContaining({ fields: [expect.objectContaining({ path })] }),
    )
  })

  test('that points at a forbidden address or host is refused before anything is opened', () => {
    for (const url of ['http://169.254.169.254/latest', 'http://[::ffff:a9fe:a9fe]/']) {
      expect(() => placeAt(url)).toThrow(expect.objectContaining({ code: 'SOURCE_FORBIDDEN' }))
    }
  })

  test('has a label without credentials, query and fragment', () => {
    const url = 'https://user:secret@example.com/a/disk.img?token=secret#secret'
    expect(placeAt(url).label).toBe('https://example.com/a/disk.img')
  })
})

describe('credentials', () => {
  test('in the URL become Basic', async () => {
    expect(await sent('us%40er:p%C3%A4ss:1%@', null)).toBe(basic('us@er:päss:1%'))
  })

  test('in auth come before those in the URL', async () => {
    const auth = { basic: { username: 'user', password: 'päss' } }
    expect(await sent('a:b@', auth)).toBe(basic('user:päss'))
    expect(await sent('', { bearer: 'abc' })).toBe('Bearer abc')
    expect(await sent('', { headers: { Authorization: 'Own x' } })).toBe('Own x')
  })

  test('are in no message', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/gone', { status: 404 }).replace('//', '//user:secret@')
      const { message } = await failing(open(`${url}?token=secret`), 'SOURCE_REFUSED')
      expect(message).not.toMatch(/user|secret|token/)
    }))
})

describe('a status', () => {
  test.each([400, 401, 403, 404, 405, 407, 410, 416, 451, 204, 300, 304])('%i is final', (status) =>
    beside(async (neighbour) => {
      const failure = await failing(open(neighbour.serve('/x', { status })), 'SOURCE_REFUSED')
      expect(failure).toBeInstanceOf(Refusal)
      expect(failure.message).toContain(`${status}`)
    }),
  )

  test.each([408, 425, 429, 500, 502, 503, 504, 507])('%i may pass', (status) =>
    beside(async (neighbour) => {
      const failure = await failing(open(neighbour.serve('/x', { status })), 'SOURCE_UNAVAILABLE')
      expect(failure).toBeInstanceOf(Outage)
      expect(failure.retryAfter).toBeNull()
    }),
  )

  test('is told with the URL and the way out', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/disk.img', { status: 404 })
      const { message } = await failing(open(url), 'SOURCE_REFUSED')
      expect(message).toBe(`the source answered 404 Not Found for ${url}; check the URL`)
    }))

  test('with Retry-After says when to come back', () =>
    beside(async (neighbour) => {
      const headers = { 'retry-after': '7' }
      const url = neighbour.serve('/busy', { status: 503, headers, size: 100_000 })
      expect((await failing(open(url), 'SOURCE_UNAVAILABLE')).retryAfter).toBe(7000)
    }))

  test('is answered once: trying again is not for the source to do', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth) => (nth <= 2 ? { status: 500 } : { size: 5 }))
      await failing(open(url), 'SOURCE_UNAVAILABLE')
      await failing(open(url), 'SOURCE_UNAVAILABLE')
      expect(neighbour.count('/x')).toBe(2)
      expect(await read(url)).toEqual(content(5))
    }))
})
