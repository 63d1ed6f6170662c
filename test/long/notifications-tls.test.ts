import { writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { needs } from '../support/programs.ts'
import { startProxy } from '../support/proxy.ts'
import { Receiver } from '../support/receiver.ts'
import { startService } from '../support/service.ts'
import { Subscribers, writeSubscribers } from '../support/subscribers.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { certify } from '../unit/source/certificates.ts'

const able = needs('openssl', 'apt-get install openssl')

describe.skipIf(!able)('a subscriber over TLS', () => {
  test('is trusted by its caFile or by SSL_CERT_FILE, and by nothing else', async () => {
    const [tls, general] = [await certify('IP:127.0.0.1'), await certify('IP:127.0.0.1')]
    await using held = new AsyncDisposableStack()
    const { path } = held.use(await temporaryFolder())
    const receiver = held.use(await Receiver.start({ tls }))
    const other = held.use(await Receiver.start({ tls: general }))
    await writeFile(`${path}/ca.pem`, tls.ca)
    await writeFile(`${path}/general.pem`, general.ca)
    const form = 'cloudevents' as const
    const file = await writeSubscribers(path, [
      { name: 'own', url: receiver.url(), form, caFile: 'ca.pem' },
      { name: 'general', url: other.url(), form },
      { name: 'stranger', url: receiver.url(), form },
    ])
    const service = held.use(
      await startService({
        SLIPWAY_SUBSCRIBERS_FILE: file,
        SSL_CERT_FILE: `${path}/general.pem`,
      }),
    )
    const subscribers = new Subscribers(() => service.base)
    expect(await subscribers.post('/own/ping')).toEqual({ delivered: true })
    expect(await subscribers.post('/general/ping')).toEqual({ delivered: true })
    expect(await subscribers.post('/stranger/ping')).toEqual({
      delivered: false,
      problem: expect.stringMatching(/^the certificate of 127\.0\.0\.1:\d+ is not trusted \(/),
    })
    expect(receiver.requests).toHaveLength(1)
  })

  test('is reached by the proxy that imports use', async () => {
    const tls = await certify('DNS:ci.example')
    await using held = new AsyncDisposableStack()
    const { path } = held.use(await temporaryFolder())
    const proxy = held.use(await startProxy())
    const secure = held.use(await Receiver.start({ tls }))
    const plain = held.use(await Receiver.start())
    await writeFile(`${path}/ca.pem`, tls.ca)
    const form = 'cloudevents' as const
    const file = await writeSubscribers(path, [
      { name: 'secure', url: `https://ci.example:${secure.port}/`, form, caFile: 'ca.pem' },
      { name: 'plain', url: `http://ci.example:${plain.port}/`, form },
    ])
    const service = held.use(
      await startService({ SLIPWAY_SUBSCRIBERS_FILE: file, HTTP_PROXY: proxy.url() }),
    )
    const subscribers = new Subscribers(() => service.base)
    expect(await subscribers.post('/secure/ping')).toEqual({ delivered: true })
    expect(await subscribers.post('/plain/ping')).toEqual({ delivered: true })
    expect(proxy.asked.map(({ method }) => method)).toEqual(['CONNECT', 'POST'])
  })
})
