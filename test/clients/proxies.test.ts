import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { Layout } from '../support/clients-layout.ts'
import { push } from '../support/container-images.ts'
import { clientHome, type Home } from '../support/clients.ts'
import { startPeer, type Peer } from '../support/clients-daemon.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { expectNothing } from '../support/leftovers.ts'
import { needsNginx, startNginx, type Nginx } from '../support/nginx.ts'
import { needs } from '../support/programs.ts'
import {
  startSquid,
  startTinyproxy,
  type RealProxy,
  type RealProxyOptions,
} from '../support/real-proxies.ts'
import { readiness, type Source } from '../support/rest.ts'
import { startService } from '../support/service.ts'
import { certify, type Certificates } from '../unit/source/certificates.ts'

const able = [
  needsNginx(),
  needs('openssl', 'apt-get install openssl'),
  needs('docker-registry', 'apt-get install docker-registry'),
  needs('skopeo', 'apt-get install skopeo'),
].every(Boolean)

const programs = [
  {
    name: 'squid',
    isHere: needs('squid', 'apt-get install squid'),
    start: startSquid,
    // Nobody but the proxy can resolve it.
    host: 'mirror.example',
    wrong: [407, 407],
  },
  {
    name: 'tinyproxy',
    isHere: needs('tinyproxy', 'apt-get install tinyproxy'),
    start: startTinyproxy,
    host: '127.0.0.1',
    // It takes itself for the source then.
    wrong: [401, 401],
  },
]

const user = { name: 'user', password: 'sesame' }
const bytes = disk(8 * mebibyte)
const sha256 = digestOf(bytes).slice('sha256:'.length)

describe.skipIf(!able)('behind a proxy', () => {
  const resources = new AsyncDisposableStack()
  let home: Home
  let tls: Certificates
  let plain: Nginx
  let secure: Nginx
  let peer: Peer

  beforeAll(async () => {
    home = resources.use(await clientHome())
    tls = await certify('IP:127.0.0.1', 'DNS:mirror.example')
    plain = resources.use(await startNginx())
    secure = resources.use(await startNginx({ tls: { key: tls.key, cert: tls.cert } }))
    for (const nginx of [plain, secure]) await nginx.put('a.img', bytes)
    peer = resources.use(await startPeer(home))
    const layout = await Layout.begin(home.at('layout'))
    await layout.finish({ one: await layout.image({ 'disk/a.img': bytes }) })
    await push(home, `oci:${layout.path}:one`, `${new URL(peer.base).host}/team/disk:1`)
  })
  afterAll(() => resources.disposeAsync())

  describe.each(programs)('$name', ({ isHere, start, host, wrong }) => {
    const http = (url: string, rest: Partial<NonNullable<Source['http']>> = {}) =>
      ({ type: 'HTTP', http: { url, ...rest } }) as const
    const caBundle = () => Buffer.from(tls.ca).toString('base64')

    /** A service and its only way out. */
    async function beside(
      run: (service: Awaited<ReturnType<typeof startService>>, proxy: RealProxy) => Promise<void>,
      options: RealProxyOptions & { readonly credentials?: string; readonly direct?: string } = {},
    ): Promise<void> {
      const { credentials = '', direct, ...rest } = options
      await using proxy = await start(home, { tunnels: [secure.port], ...rest })
      await using service = await startService({
        HTTP_PROXY: `http://${credentials}${proxy.name}`,
        SLIPWAY_IMPORT_RETRY_FOR: '1s',
        SLIPWAY_INSECURE_REGISTRIES: host,
        ...(direct && { NO_PROXY: direct }),
      })
      await run(service, proxy)
      expect(service.logs.toString()).not.toContain(user.password)
    }

    test.skipIf(!isHere)('files come over http and https', () =>
      beside(async ({ rest, folder }) => {
        await rest.create('plain', http(plain.url('a.img', host)))
        await rest.create('secure', http(secure.url('a.img', host), { caBundle: caBundle() }))
        for (const name of ['plain', 'secure']) {
          const { status } = await rest.ready(name)
          expect(status.source).toMatchObject({ sha256, bytes: String(bytes.length) })
          await rest.delete(name)
        }
        await expectNothing(folder)
      }),
    )

    test.skipIf(!isHere)('a certificate is held against its CA and name', () =>
      beside(async ({ rest }) => {
        await rest.create('one', http(secure.url('a.img', host)))
        const image = await rest.reaches('one', 'Failed')
        expect(readiness(image).message).toMatch(`the certificate of ${host} is not trusted (`)
      }),
    )

    test.skipIf(!isHere)('its credentials let imports through', () =>
      beside(
        async ({ rest }) => {
          await rest.create('plain', http(plain.url('a.img', host)))
          await rest.create('secure', http(secure.url('a.img', host), { caBundle: caBundle() }))
          await rest.ready('plain')
          await rest.ready('secure')
        },
        { user, credentials: `${user.name}:${user.password}@` },
      ),
    )

    test.skipIf(!isHere).each([
      ['without', '', [407, 407], 'asks for credentials'],
      ['with wrong', `${user.name}:nonsense@`, wrong, 'does not take the credentials'],
    ] as const)(
      '%s credentials nothing comes, and the proxy is named',
      (_what, credentials, by, words) =>
        beside(
          async ({ rest }, proxy) => {
            for (const [index, nginx] of [plain, secure].entries()) {
              await rest.create('one', http(nginx.url('a.img', host), { caBundle: caBundle() }))
              const image = await rest.reaches('one', 'Failed')
              const told =
                nginx === secure || by[index] === 407
                  ? `the proxy ${proxy.name} ${words}; an administrator gives them in HTTP_PROXY`
                  : `the source, or the proxy ${proxy.name} on the way to it, answered ${by[index]} `
              expect(readiness(image).message).toMatch(told)
              await rest.delete('one')
            }
          },
          { user, credentials },
        ),
    )

    test.skipIf(!isHere)('a port that it opens no tunnel to is told', () =>
      beside(
        async ({ rest }, proxy) => {
          await rest.create('one', http(secure.url('a.img', host)))
          const image = await rest.reaches('one', 'Failed')
          expect(readiness(image).message).toBe(
            `the proxy ${proxy.name} answered 403 Forbidden for ${host}:${secure.port}, so it does not let imports go there; give another URL, or ask the administrator of the proxy`,
          )
          expect(image.status.retries ?? 0).toBe(0)
        },
        { tunnels: [] },
      ),
    )

    test.skipIf(!isHere)('a source that is down is told, and tried again', () =>
      beside(async ({ rest }, proxy) => {
        for (const [scheme, words] of [
          ['http', `the source, or the proxy ${proxy.name} on the way to it, answered 50`],
          ['https', `the proxy ${proxy.name} answered 50`],
        ] as const) {
          await rest.create('one', http(`${scheme}://127.0.0.1:9/a.img`))
          const image = await rest.reaches('one', 'Failed')
          expect(readiness(image).message).toMatch(words)
          expect(image.status.retries).toBeGreaterThan(0)
          await rest.delete('one')
        }
      }),
    )

    test.skipIf(!isHere)('NO_PROXY is asked directly, whatever the proxy says', () =>
      beside(
        async ({ rest }) => {
          await rest.create('one', http(plain.url('a.img')))
          await rest.ready('one')
        },
        { user, direct: 'elsewhere.example,127.0.0.0/8' },
      ),
    )

    test.skipIf(!isHere)('forbidden addresses stay forbidden', () =>
      beside(async ({ rest }) => {
        const refused = await rest.post({
          name: 'one',
          dataSource: http('http://169.254.169.254/latest/meta-data/'),
        })
        expect(await refused.json()).toMatchObject({ code: 'SOURCE_FORBIDDEN' })
      }),
    )

    test.skipIf(!isHere)('disks come out of container registries', () =>
      beside(async ({ rest }) => {
        const image = `${host}:${new URL(peer.base).port}/team/disk:1`
        await rest.create('one', { type: 'ContainerImage', containerImage: { image } })
        const { status } = await rest.ready('one')
        expect(status.source).toMatchObject({ bytes: String(bytes.length) })
      }),
    )
  })
})
