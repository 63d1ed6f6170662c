import { once } from 'node:events'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import type { buildConnector } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileRules } from '../../../src/source/address-rules.ts'
import { dial } from '../../../src/source/dial.ts'
import { compileProxies, type ProxyPolicy } from '../../../src/source/proxies.ts'
import { content, forever, startNeighbour, type Neighbour } from '../../support/http-neighbour.ts'
import { needs } from '../../support/programs.ts'
import { startProxy, type ProxyOptions } from '../../support/proxy.ts'
import { certify, type Certificates } from './certificates.ts'
import { failing, loopback, open, read, type Visit } from './visits.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')
const basic = (text: string) => `Basic ${base64(text)}`
const unlifted = compileRules({ deny: ['*.internal'], allow: [] })
const never = async () => expect.unreachable()

/** Behind the proxy nothing is resolved here. */
const by = (http: string, rest: Partial<ProxyPolicy> = {}, rules = loopback) => ({
  options: {
    rules,
    lookup: never,
    proxies: compileProxies({ http, https: null, except: [], ...rest }),
  },
})

/** A proxy of its own for a test, which has to leave no connection open. */
async function beside(
  run: (proxy: Awaited<ReturnType<typeof startProxy>>, neighbour: Neighbour) => Promise<void>,
  options: ProxyOptions = {},
  tls?: Certificates,
): Promise<void> {
  await using proxy = await startProxy(options)
  await using neighbour = await startNeighbour(tls ? { tls } : {})
  await run(proxy, neighbour)
  await proxy.idle()
  await neighbour.idle()
}

describe('a plain source behind a proxy', () => {
  test('is asked for by its whole URL, and resolved there', () =>
    beside(async (proxy, neighbour) => {
      neighbour.serve('/a', { size: 300_000 })
      const url = neighbour.url('/a', 'mirror.example')
      const bytes = await read(`${url}?x=1`, by(proxy.url()))
      expect(bytes.equals(content(300_000))).toBe(true)
      expect(proxy.asked).toMatchObject([{ method: 'GET', target: `${url}?x=1` }])
      expect(proxy.asked[0]?.headers).not.toHaveProperty('proxy-authorization')
      expect(neighbour.requests[0]?.headers.host).toBe(`mirror.example:${neighbour.port}`)
    }))

  test('goes on where it broke', () =>
    beside(async (proxy, neighbour) => {
      const url = neighbour.serve('/a', { size: 1000, etag: '"1"', ranges: 'honest' })
      const from = { offset: 990, version: '"1"' }
      expect(await read(url, { ...by(proxy.url()), from })).toEqual(content(10, 990))
    }))

  test('never sees what the proxy is shown, nor the proxy what another source is', () =>
    beside(async (proxy, neighbour) => {
      await using other = await startNeighbour()
      const location = other.serve('/b', { size: 1 })
      const url = neighbour.serve('/a', { status: 302, headers: { location } })
      const section = { auth: { basic: { username: 'me', password: 'mine' } } }
      await read(url, { section, ...by(proxy.url('user:secret@')) })
      const shown = proxy.asked.map(({ headers }) => [
        headers.authorization ?? null,
        headers['proxy-authorization'],
      ])
      expect(shown).toEqual([
        [basic('me:mine'), basic('user:secret')],
        [null, basic('user:secret')],
      ])
      expect(JSON.stringify([neighbour.requests, other.requests])).not.toContain(
        base64('user:secret'),
      )
    }))

  test('is asked directly where NO_PROXY says so', () =>
    beside(async (proxy, neighbour) => {
      const url = neighbour.serve('/a', { size: 5 })
      expect(await read(url, by(proxy.url(), { except: ['127.0.0.0/8'] }))).toEqual(content(5))
      expect(proxy.connections).toBe(0)
    }))

  test('is told an IPv6 address in brackets', () =>
    beside(async (proxy) => {
      await failing(open('https://[::1]:9/a', by(proxy.url())), 'SOURCE_UNAVAILABLE')
      expect(proxy.asked).toMatchObject([
        { method: 'CONNECT', target: '[::1]:9', headers: { host: '[::1]:9' } },
      ])
    }))

  test('is left when the import is aborted', () =>
    beside(async (proxy, neighbour) => {
      const pause = { at: 'head', until: forever } as const
      const aborter = new AbortController()
      const url = neighbour.serve('/a', () => {
        aborter.abort(new Error('enough'))
        return { size: 5, pause }
      })
      const work = open(url, { ...by(proxy.url()), signal: aborter.signal })
      await expect(work).rejects.toThrow('enough')
    }))
})

describe('a forbidden source behind a proxy', () => {
  const places = ['127.0.0.1', '2130706433', '[::ffff:7f00:1]', '169.254.169.254', '0.0.0.0']
  const names = ['localhost', 'LOCALHOST.', 'a.localhost', 'db.internal']
  const urls = ['http', 'https'].flatMap((scheme) =>
    [...places, ...names].map((host) => `${scheme}://${host}/`),
  )

  test.each(urls)('%s is not asked for', (url) =>
    beside(async (proxy) => {
      const work = async () => await open(url, by(proxy.url(), {}, unlifted))
      await failing(work(), 'SOURCE_FORBIDDEN')
      expect(proxy.connections).toBe(0)
    }),
  )

  test.each(urls)('is not asked for when a source redirects to %s', (location) =>
    beside(async (proxy, neighbour) => {
      neighbour.serve('/a', { status: 302, headers: { location } })
      const url = neighbour.url('/a', 'mirror.example')
      const work = open(url, by(proxy.url(), {}, unlifted))
      await failing(work, 'SOURCE_FORBIDDEN')
      expect(proxy.asked).toMatchObject([{ target: url }])
    }),
  )
})

describe.skipIf(!needs('openssl', 'apt-get install openssl'))('a source over TLS', () => {
  let tls: Certificates
  const roots = getCACertificates('default')

  beforeAll(async () => {
    tls = await certify('DNS:mirror.example', 'IP:127.0.0.1')
  })
  afterAll(() => setDefaultCACertificates(roots))

  const trusting = (): Visit => ({ section: { caBundle: base64(tls.ca) } })

  test('is reached through a tunnel and verified by its name', async () =>
    beside(
      async (proxy, neighbour) => {
        neighbour.serve('/a', { size: 300_000 })
        const user = 'user:secret@'
        const url = neighbour.url('/a', 'mirror.example')
        const bytes = await read(url, { ...trusting(), ...by(proxy.url(user)) })
        expect(bytes.equals(content(300_000))).toBe(true)
        const authority = `mirror.example:${neighbour.port}`
        expect(proxy.asked).toEqual([
          {
            method: 'CONNECT',
            target: authority,
            headers: expect.objectContaining({
              host: authority,
              'proxy-authorization': basic('user:secret'),
            }),
          },
        ])
        expect(neighbour.requests[0]?.headers).not.toHaveProperty('proxy-authorization')
      },
      {},
      tls,
    ))

  test('is refused without its CA, and under another name', () =>
    beside(
      async (proxy, neighbour) => {
        const trusted = neighbour.serve('/a', { size: 1 })
        const other = neighbour.url('/a', 'other.example')
        const [unknown, renamed] = [
          await failing(open(trusted, by(proxy.url())), 'SOURCE_REFUSED'),
          await failing(open(other, { ...trusting(), ...by(proxy.url()) }), 'SOURCE_REFUSED'),
        ]
        expect(unknown.message).toContain('the certificate of 127.0.0.1 is not trusted')
        expect(renamed.message).toContain('the certificate of other.example is for another name')
        expect(neighbour.requests).toEqual([])
      },
      {},
      tls,
    ))

  test('is reached through a proxy that speaks TLS, too', () =>
    beside(
      async (proxy, neighbour) => {
        setDefaultCACertificates([...roots, tls.ca])
        await using plain = await startNeighbour()
        const visit = { ...trusting(), ...by(proxy.url()) }
        expect(await read(neighbour.serve('/a', { size: 9 }), visit)).toEqual(content(9))
        expect(await read(plain.serve('/b', { size: 9 }), visit)).toEqual(content(9))
        expect(proxy.asked.map(({ method }) => method)).toEqual(['CONNECT', 'GET'])
        setDefaultCACertificates(roots)
      },
      { tls },
      tls,
    ))

  test('cannot vouch for the proxy', () =>
    beside(
      async (proxy, neighbour) => {
        setDefaultCACertificates(roots)
        const url = neighbour.serve('/a', { size: 9 })
        for (const section of [trusting().section, { insecureSkipTLSVerify: true }]) {
          const work = open(url, { ...(section && { section }), ...by(proxy.url()) })
          const { message } = await failing(work, 'SOURCE_UNAVAILABLE')
          expect(message).toMatch(
            /^the certificate of the proxy 127\.0\.0\.1:\d+ is not trusted \(.+\); .+ SSL_CERT_FILE$/,
          )
        }
        expect(proxy.asked).toEqual([])
      },
      { tls },
      tls,
    ))

  test('inside a tunnel is left when the import is aborted', () =>
    beside(
      async (proxy, neighbour) => {
        const aborter = new AbortController()
        const url = neighbour.serve('/a', { size: 50_000_000 })
        const signal = aborter.signal
        const { body } = await open(url, { ...trusting(), ...by(proxy.url()), signal })
        const failed = once(body, 'error')
        aborter.abort(new Error('enough'))
        expect(await failed).toMatchObject([{ message: 'enough' }])
      },
      {},
      tls,
    ))
})

describe('a proxy that does not help', () => {
  const asked = async (scheme: string, options: ProxyOptions, user = '') => {
    let failure
    await beside(async (proxy) => {
      const work = open(`${scheme}://mirror.example/a`, by(proxy.url(user)))
      failure = await work.then(never, (error: unknown) => error)
      expect(String(failure)).toContain(proxy.name)
    }, options)
    expect(String(failure)).not.toMatch(/secret/)
    return failure
  }

  test.each([
    ['http', 407],
    ['https', 407],
    ['https', 401],
  ])('because it wants credentials for %s (%i)', async (scheme, refuse) => {
    const without = await asked(scheme, { refuse })
    const wrong = await asked(scheme, { refuse }, 'user:secret@')
    expect([without, wrong]).toMatchObject([
      {
        code: 'SOURCE_UNAVAILABLE',
        message: expect.stringMatching(/asks for credentials; an adm/),
      },
      {
        code: 'SOURCE_UNAVAILABLE',
        message: expect.stringMatching(/not take the credentials; an/),
      },
    ])
  })

  test.each([
    ['https', 403, 'SOURCE_REFUSED', /answered 403 Forbidden for mirror\.example:443, so it does/],
    ['https', 502, 'SOURCE_UNAVAILABLE', /answered 502 Bad Gateway for mirror\.example:443; check/],
    ['https', 429, 'SOURCE_UNAVAILABLE', /answered 429 Too Many Requests for mirror/],
    ['http', 403, 'SOURCE_REFUSED', /^the source, or the proxy .+ on the way to it, answered 403/],
    ['http', 503, 'SOURCE_UNAVAILABLE', /^the source, or the proxy .+, answered 503 .+\/a; check/],
  ])('to %s, by %i', async (scheme, refuse, code, words) => {
    expect(await asked(scheme, { refuse })).toMatchObject({
      code,
      message: expect.stringMatching(words),
    })
  })

  test.each([
    ['breaks off', (socket: { destroy: () => unknown }) => void socket.destroy()],
    ['is none', (socket: { end: (text: string) => unknown }) => void socket.end('SSH-2.0-x\r\n')],
  ])('because it %s', async (_what, onConnect) => {
    expect(await asked('https', { onConnect })).toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
      message: expect.stringMatching(/broke the connection instead of opening a tunnel/),
    })
  })

  test('because it keeps silent', () =>
    beside(
      async (proxy) => {
        const { options } = by(proxy.url())
        const visit = { options: { ...options, timeouts: { connect: 50 } } }
        const { message } = await failing(open('https://a.example/', visit), 'SOURCE_UNAVAILABLE')
        expect(message).toContain(`the proxy ${proxy.name} opened no tunnel within 0.05 s`)
      },
      { onConnect: () => undefined },
    ))

  test('because it is not there', async () => {
    const connector: buildConnector.connector = (target, callback) => {
      const code = target.hostname === 'proxy.example' ? 'ECONNREFUSED' : 'EINVAL'
      callback(Object.assign(new Error('no'), { code }), null)
    }
    const { options } = by('http://proxy.example:3128')
    const connect = dial({ ...options, timeout: 50, connector }, AbortSignal.timeout(5000))
    const failure = await new Promise((fulfil) => {
      connect({ protocol: 'http:', hostname: 'a.example', port: '' }, (...[error]) => fulfil(error))
    })
    expect(failure).toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
      message:
        'no connection to the proxy proxy.example:3128: it refuses connections; check that it is up, and HTTP_PROXY and HTTPS_PROXY',
    })
  })
})
