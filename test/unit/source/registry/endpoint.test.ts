import { connect, createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { beforeAll, describe, expect, test } from 'vitest'
import { mediaTypes } from '../../../../src/image/media-type.ts'
import { compileProxies } from '../../../../src/source/proxies.ts'
import { json, type HostileRegistry } from '../../../support/hostile-registry.ts'
import { startNeighbour } from '../../../support/http-neighbour.ts'
import { needs } from '../../../support/programs.ts'
import { startProxy, type Proxy } from '../../../support/proxy.ts'
import { certify, type Certificates } from '../certificates.ts'
import { deadline, failing } from '../visits.ts'
import { besideRegistry, client, login, type Pull } from './pulls.ts'

const document = { schemaVersion: 2, mediaType: mediaTypes.manifest, layers: [] }
const lookup = async () => [{ address: '127.0.0.1' }]
const never = async () => expect.unreachable()

const fetched = (image: string, pull: Pull = {}) =>
  client(image, pull).manifest('latest', deadline())

/** Behind a proxy nothing is resolved here. */
const by = (proxy: Proxy) => ({
  lookup: never,
  proxies: compileProxies({ http: proxy.url(), https: null, except: [] }),
  insecureRegistries: ['r.example.com'],
})

/** The image under another name of its host. */
const named = (registry: HostileRegistry, host: string) =>
  `${host}:${registry.neighbour.port}/team/image`

describe('a registry without TLS', () => {
  const beside = (run: (registry: HostileRegistry) => Promise<unknown>, host = '127.0.0.1') =>
    besideRegistry(
      async (registry) => {
        registry.manifest('latest', document)
        await run(registry)
      },
      { host },
    )

  test('on loopback is spoken to', () => beside((registry) => fetched(registry.reference())))

  test('on loopback by name is spoken to', () =>
    beside((registry) => fetched(named(registry, 'localhost'))))

  test('on IPv6 loopback is spoken to', () =>
    beside((registry) => fetched(registry.reference()), '::1'))

  test.each([
    ['r.example.com', 0],
    ['R.Example.COM', 0],
    ['r.example.com:PORT', 0],
    ['r.example.com:1', 1],
    ['example.com', 1],
  ])('elsewhere is spoken to when the administrator allows it (%s)', (entry, refusals) =>
    beside(async (registry) => {
      const allowed = entry.replace('PORT', `${registry.neighbour.port}`)
      const options = { lookup, insecureRegistries: [allowed] }
      const work = fetched(named(registry, 'r.example.com'), { options })
      if (refusals === 0) return await work
      const { message } = await failing(work, 'SOURCE_REFUSED')
      return expect(message).toContain('speaks no TLS')
    }),
  )

  test.each(['lets it through', 'opens no tunnel to its port'])(
    'elsewhere is spoken to through a proxy that %s',
    (what) =>
      beside(async (registry) => {
        const onConnect = (socket: Socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
        await using proxy = await startProxy(what.startsWith('opens') ? { onConnect } : {})
        await fetched(named(registry, 'r.example.com'), { options: by(proxy) })
        expect(proxy.asked.map(({ method }) => method)).toEqual(['CONNECT', 'GET'])
        await proxy.idle()
      }),
  )

  test('elsewhere is asked for without TLS when the proxy does not reach the port of TLS', async () => {
    await using proxy = await startProxy({ refuse: 503 })
    const work = fetched('r.example.com/team/image', { options: by(proxy) })
    await failing(work, 'SOURCE_UNAVAILABLE')
    expect(proxy.asked.map(({ target }) => target)).toEqual([
      'r.example.com:443',
      'http://r.example.com/v2/team/image/manifests/latest',
    ])
  })

  test('elsewhere is refused with the way out', () =>
    beside(async (registry) => {
      const image = named(registry, 'r.example.com')
      const { message } = await failing(fetched(image, { options: { lookup } }), 'SOURCE_REFUSED')
      const host = `r.example.com:${registry.neighbour.port}`
      expect(message).toBe(
        `the registry ${host} speaks no TLS; an administrator can allow plain HTTP with SLIPWAY_INSECURE_REGISTRIES=${host}`,
      )
      expect(registry.requests).toEqual([])
    }))

  test('is refused when the user has said how TLS is to be trusted', () =>
    beside(async (registry) => {
      const section = { insecureSkipTLSVerify: true }
      const { message } = await failing(
        fetched(registry.reference(), { section }),
        'SOURCE_REFUSED',
      )
      expect(message).toContain('speaks no TLS')
    }))

  test('that is not there is an outage', async () => {
    const neighbour = await startNeighbour()
    const image = `127.0.0.1:${neighbour.port}/a`
    await neighbour[Symbol.asyncDispose]()
    const { message } = await failing(fetched(image), 'SOURCE_UNAVAILABLE')
    expect(message).toContain('it refuses connections')
  })

  test('that hangs up on TLS is spoken to', () =>
    beside(async (registry) => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined)
        socket.once('data', (first) => {
          // The first byte of a TLS record that begins a handshake.
          if (first[0] === 0x16) {
            socket.destroy()
            return
          }
          const inner = connect(registry.neighbour.port, '127.0.0.1')
          inner.on('error', () => socket.destroy()).write(first)
          socket.pipe(inner).pipe(socket)
        })
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const address = server.address()
      const port = typeof address === 'object' ? address?.port : 0
      await fetched(`127.0.0.1:${port}/team/image`)
      server.close()
      await once(server, 'close')
    }))

  test('that hangs up on whatever comes is an outage', async () => {
    let connections = 0
    const server = createServer((socket) => {
      connections += 1
      socket.on('error', () => undefined).destroy()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    await failing(fetched(`127.0.0.1:${port}/a`), 'SOURCE_UNAVAILABLE')
    expect(connections).toBe(2)
    server.close()
    await once(server, 'close')
  })
})

describe.skipIf(!needs('openssl', 'apt-get install openssl'))('a registry with TLS', () => {
  let tls: Certificates
  let caBundle: string

  beforeAll(async () => {
    tls = await certify('DNS:r.example.com', 'IP:127.0.0.1')
    caBundle = Buffer.from(tls.ca).toString('base64')
  })

  const beside = (run: (registry: HostileRegistry) => Promise<unknown>) =>
    besideRegistry(
      async (registry) => {
        registry.manifest('latest', document)
        await run(registry)
      },
      { tls },
    )

  test('is trusted by its caBundle, on loopback and by name', () =>
    beside(async (registry) => {
      await fetched(registry.reference(), { section: { caBundle } })
      await fetched(named(registry, 'r.example.com'), {
        section: { caBundle },
        options: { lookup },
      })
    }))

  test('is refused without it, and never spoken to in plain', () =>
    beside(async (registry) => {
      const { message } = await failing(fetched(registry.reference()), 'SOURCE_REFUSED')
      expect(message).toMatch(/^the certificate of 127.0.0.1 is not trusted .* as caBundle$/)
      const options = { lookup, insecureRegistries: ['r.example.com'] }
      const image = named(registry, 'r.example.com')
      await failing(fetched(image, { options }), 'SOURCE_REFUSED')
      expect(registry.requests).toEqual([])
    }))

  test('is taken unseen when the section says so', () =>
    beside((registry) =>
      fetched(registry.reference(), { section: { insecureSkipTLSVerify: true } }),
    ))

  test('does not send for a token to plain http', () =>
    beside(async (registry) => {
      await using issuer = await startNeighbour()
      issuer.serve('/token', json({ token: 'secret' }))
      registry.demandToken({ realm: issuer.url('/token') })
      const section = { caBundle, ...login('me', 'password') }
      const work = fetched(registry.reference(), { section })
      const { message } = await failing(work, 'SOURCE_FORBIDDEN')
      expect(message).toContain('to http:')
      expect(issuer.connections).toBe(0)
    }))

  test('names its section where the bundle is broken', () => {
    const broken = Buffer.from('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
    const section = { caBundle: broken.toString('base64') }
    expect(() => client('r.example.com/a', { section })).toThrow(
      expect.objectContaining({
        fields: [expect.objectContaining({ path: 'containerImage.caBundle' })],
      }),
    )
  })
})
