import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, test } from 'vitest'
import { compileRules } from '../../../src/source/address-rules.ts'
import { requestFor } from '../../../src/source/request.ts'
import { follow } from '../../../src/source/redirects.ts'
import { content, startNeighbour } from '../../support/http-neighbour.ts'
import { beside, failing, open, read } from './visits.ts'

const to = (location: string, status = 302) => ({ status, headers: { location } })
const auth = { basic: { username: 'user', password: 'secret' }, headers: { 'X-Token': 'secret' } }

const metadata = async () => [{ address: '169.254.169.254' }]
const never = async () => expect.unreachable()

/** How many sockets this process asks for meanwhile. */
async function sockets(work: () => Promise<unknown>): Promise<number> {
  let count = 0
  const seen = () => {
    count += 1
  }
  subscribe('net.client.socket', seen)
  try {
    await work()
  } finally {
    unsubscribe('net.client.socket', seen)
  }
  return count
}

describe('a redirect', () => {
  test.each([301, 302, 303, 307, 308])('with %i is followed', (status) =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/a', to('b/../c?x=1', status))
      neighbour.serve('/c', { size: 9 })
      const opened = await open(url)
      expect(opened.facts.url).toBe(neighbour.url('/c'))
      opened.body.destroy()
      expect(neighbour.requests.map(({ path }) => path)).toEqual(['/a', '/c?x=1'])
    }),
  )

  test('is followed ten times and no further', () =>
    beside(async (neighbour) => {
      for (let hop = 1; hop <= 11; hop += 1) neighbour.serve(`/${hop}`, to(`/${hop - 1}`))
      neighbour.serve('/0', { size: 5 })
      expect(await read(neighbour.url('/10'))).toEqual(content(5))
      await failing(open(neighbour.url('/11')), 'SOURCE_REFUSED')
    }))

  test('to itself ends', () =>
    beside(async (neighbour) => {
      const { message } = await failing(open(neighbour.serve('/x', to('/x'))), 'SOURCE_REFUSED')
      expect(message).toContain('more than 10 times')
      expect(neighbour.count('/x')).toBe(11)
    }))

  test('closes the connection it came over, body and all', () =>
    beside(async (neighbour) => {
      neighbour.serve('/b', { size: 5 })
      const url = neighbour.serve('/a', { ...to('/b'), size: 50_000_000 })
      expect(await read(url)).toEqual(content(5))
    }))

  test.each([{ status: 302 }, to('http://['), to('')])(
    'without a place to go is refused (%j)',
    (script) =>
      beside(async (neighbour) => {
        await failing(open(neighbour.serve('/x', script)), 'SOURCE_REFUSED')
      }),
  )

  test.each(['ftp://example.com/x', 'file:///etc/passwd', 'data:,x'])('to %s is forbidden', (url) =>
    beside(async (neighbour) => {
      await failing(open(neighbour.serve('/x', to(url))), 'SOURCE_FORBIDDEN')
    }),
  )

  test('may be written in UTF-8', () => {
    const location = Buffer.from('/größe').toString('latin1')
    const request = { url: new URL('http://example.com/a'), secrets: {} }
    expect(follow(request, location).url.pathname).toBe('/gr%C3%B6%C3%9Fe')
  })
})

describe('a redirect to a forbidden place', () => {
  test.each([
    'http://169.254.169.254/latest/meta-data/',
    'http://[::ffff:169.254.169.254]/',
    'http://2852039166/',
    'http://0/',
  ])('%s is refused with no socket asked for', (location) =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', to(location))
      const count = await sockets(() => failing(open(url), 'SOURCE_FORBIDDEN'))
      expect(count).toBe(1)
    }),
  )

  test('never reaches it, though it listens', () =>
    beside(async (neighbour) => {
      await using inside = await startNeighbour({ host: '127.0.0.2' })
      const rules = compileRules({ deny: [], allow: ['127.0.0.1'] })
      const url = neighbour.serve('/x', to(inside.serve('/secret', { size: 1 })))
      const { message } = await failing(open(url, { options: { rules } }), 'SOURCE_FORBIDDEN')
      expect(message).toContain('127.0.0.2')
      expect(inside.connections).toBe(0)
    }))

  test('by name is judged by what the name resolves to', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', to('http://metadata.example/'))
      const work = open(url, { options: { lookup: metadata } })
      const { message } = await failing(work, 'SOURCE_FORBIDDEN')
      expect(message).toContain('metadata.example at 169.254.169.254')
    }))

  test('by a denied name is refused without asking for it', () =>
    beside(async (neighbour) => {
      const rules = compileRules({ deny: ['*.internal'], allow: ['127.0.0.0/8'] })
      const url = neighbour.serve('/x', to('http://db.internal/'))
      await failing(open(url, { options: { rules, lookup: never } }), 'SOURCE_FORBIDDEN')
    }))

  test('from https to http is not followed', () => {
    const request = { url: new URL('https://example.com/a'), secrets: {} }
    const refused = expect.objectContaining({ code: 'SOURCE_FORBIDDEN' })
    expect(() => follow(request, 'http://example.com/a')).toThrow(refused)
    expect(follow(request, '//other.example/').url.href).toBe('https://other.example/')
  })
})

describe('credentials', () => {
  test('stay within their origin', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/a', to('/b'))
      neighbour.serve('/b', { size: 1 })
      await read(url, { section: { auth } })
      const kept = { authorization: expect.stringContaining('Basic'), 'x-token': 'secret' }
      expect(neighbour.requests.map(({ headers }) => headers)).toMatchObject([kept, kept])
    }))

  test('are dropped when the origin changes, and do not come back', () =>
    beside(async (neighbour) => {
      await using other = await startNeighbour()
      neighbour.serve('/c', { size: 1 })
      other.serve('/b', to(neighbour.url('/c')))
      const url = neighbour.serve('/a', to(other.url('/b')))
      await read(url.replace('//', '//user:secret@'), {
        section: { auth: { headers: { 'X-Token': 'secret', Cookie: 'secret' } } },
      })
      for (const { headers } of [...other.requests, ...neighbour.requests.slice(1)]) {
        expect(JSON.stringify(headers)).not.toMatch(/secret|authorization|cookie|x-token/)
        expect(headers['user-agent']).toBe('slipway/test')
      }
      expect([other.requests.length, neighbour.requests.length]).toEqual([1, 2])
    }))

  const given = {
    basic: { auth: { basic: { username: 'user', password: 'secret' } } },
    bearer: { auth: { bearer: 'secret' } },
    headers: { auth: { headers: { 'X-Token': 'secret', Cookie: 'secret' } } },
    'user-info': { url: 'http://user:secret@example.com:8080/a' },
  }
  const start = 'http://example.com:8080/a'
  const otherOrigins = [
    ['scheme', 'https://example.com:8080/a'],
    ['host', 'http://example.org:8080/a'],
    ['host above', 'http://com:8080/a'],
    ['host below', 'http://cdn.example.com:8080/a'],
    ['host by a dot', 'http://example.com.:8080/a'],
    ['port', 'http://example.com/a'],
    ['host, written without a scheme', '//example.org:8080/a'],
  ] as const
  const sameOrigin = ['/b?c', 'http://EXAMPLE.com:8080/b', '//example.com:8080']

  test.each(Object.entries(given))(
    'of kind %s stay where they were given for',
    (_kind, section) => {
      const request = requestFor({ url: start, ...section })
      expect(JSON.stringify(request.secrets)).toMatch(/secret|Basic/)
      for (const location of sameOrigin) {
        expect(follow(request, location).secrets).toEqual(request.secrets)
      }
      for (const [what, location] of otherOrigins) {
        const there = follow(request, location)
        expect(there.secrets, `another ${what}`).toEqual({})
        const back = start.replace('http:', there.url.protocol)
        expect(follow(there, back).secrets, 'and back').toEqual({})
      }
    },
  )

  test('in the Location are for that place alone', () =>
    beside(async (neighbour) => {
      await using other = await startNeighbour()
      const there = other.serve('/b', { size: 1 }).replace('//', '//me:too@')
      const opened = await open(neighbour.serve('/a', to(there)))
      opened.body.destroy()
      const basic = `Basic ${Buffer.from('me:too').toString('base64')}`
      expect(other.requests[0]?.headers.authorization).toBe(basic)
      expect(opened.facts.url).toBe(other.url('/b'))
    }))
})
