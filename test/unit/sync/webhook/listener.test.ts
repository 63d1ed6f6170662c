import { once } from 'node:events'
import { X509Certificate } from 'node:crypto'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { pino } from 'pino'
import { beforeAll, describe, expect, test } from 'vitest'
import { hostPort } from '../../../../src/env.ts'
import { CompanionMetrics } from '../../../../src/sync/metrics.ts'
import { Webhook } from '../../../../src/sync/webhook.ts'
import { within } from '../../../support/deadline.ts'
import { machine, machineClass } from '../../../support/machine-classes.ts'
import { Wire } from '../../../support/wire.ts'
import { connected } from '../../serve/listener-under-test.ts'
import { certify, type Certificates } from '../../source/certificates.ts'
import { classesOf } from './asking.ts'
import { anywhere, open, pairOf, reviewOf } from './open.ts'

let first: Certificates
let second: Certificates
beforeAll(async () => {
  ;[first, second] = await Promise.all([certify('IP:127.0.0.1'), certify('IP:127.0.0.1')])
})

const log = pino({ level: 'silent' })
const bare = async () =>
  await Webhook.open(anywhere, { ...classesOf([]), metrics: new CompanionMetrics(), log })

async function handshake(
  { address }: Webhook,
  options: ConnectionOptions & { readonly localAddress?: string } = {},
): Promise<TLSSocket> {
  return await new Promise((resolve, reject) => {
    const to = { ...address, ca: [first.ca, second.ca], ...options }
    const socket = connect(to, () => resolve(socket)).once('error', reject)
  })
}

async function shown(webhook: Webhook): Promise<string> {
  const socket = await handshake(webhook)
  const print = socket.getPeerX509Certificate()?.fingerprint256
  socket.destroy()
  return print ?? ''
}

const printOf = ({ cert }: Certificates) => new X509Certificate(cert).fingerprint256

/** A review as it goes over a connection. */
function posted(fields = ''): string {
  const body = JSON.stringify(reviewOf(machine({ cores: 1 }, '1Gi', 'c')))
  const head = `POST /validate-virtualmachines HTTP/1.1\r\nHost: a\r\n${fields}`
  return `${head}Content-Length: ${body.length}\r\n\r\n${body}`
}

describe('the listener', () => {
  test('lets no handshake come to its end before it has a certificate', async () => {
    await using webhook = await bare()
    expect(webhook.hasCertificate).toBe(false)
    await expect(handshake(webhook)).rejects.toThrow(/alert handshake failure/)
    webhook.use(pairOf(first))
    expect(webhook.hasCertificate).toBe(true)
    expect(await shown(webhook)).toBe(printOf(first))
  })

  test('shows another certificate as soon as it is given one', async () => {
    await using webhook = await bare()
    webhook.use(pairOf(first))
    const before = await handshake(webhook)
    webhook.use(pairOf(second))
    expect(await shown(webhook)).toBe(printOf(second))
    using wire = new Wire(before)
    await wire.send(posted('Connection: close\r\n'))
    expect((await wire.answer()).status).toBe(200)
  })

  test('speaks TLS from 1.2 on, and HTTP/1.1', async () => {
    await using webhook = await bare()
    webhook.use(pairOf(first))
    const ALPNProtocols = ['h2', 'http/1.1']
    const socket = await handshake(webhook, { maxVersion: 'TLSv1.2', ALPNProtocols })
    expect([socket.getProtocol(), socket.alpnProtocol]).toEqual(['TLSv1.2', 'http/1.1'])
    socket.destroy()
    const ciphers = 'DEFAULT@SECLEVEL=0'
    const old = handshake(webhook, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers })
    await expect(old).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' })
  })

  test('answers no plain HTTP', async () => {
    await using webhook = await bare()
    webhook.use(pairOf(first))
    using wire = new Wire(await connected(webhook.address.port))
    await wire.send(posted())
    expect((await wire.answer()).text).toBe('')
  })

  test('answers one review after the other over one connection', async () => {
    await using opened = await open(first, { stored: [machineClass()] })
    const socket = await handshake(opened.webhook)
    for (const _ of [1, 2]) {
      socket.write(posted())
      const [answer] = await once(socket, 'data')
      expect(String(answer)).toMatch(/^HTTP\/1\.1 200 [^]*"allowed":true/)
    }
    socket.destroy()
  })

  test('says which setting is to be changed when its address is taken', async () => {
    await using webhook = await bare()
    const again = Webhook.open(webhook.address, {
      ...classesOf([]),
      metrics: new CompanionMetrics(),
      log,
    })
    const message = `cannot listen on ${hostPort(webhook.address)} (EADDRINUSE); stop what listens there, or set SLIPWAY_WEBHOOK_LISTEN`
    await expect(again).rejects.toMatchObject({ code: 'UNSUPPORTED', message })
  })

  test('gives up a head that does not come, and turns away those that are too many', async () => {
    await using opened = await open(first, { limits: { headersTimeout: 100, connections: 1 } })
    using silent = new Wire(await handshake(opened.webhook))
    await expect(handshake(opened.webhook)).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect((await silent.answer()).status).toBe(408)
  })
})

describe('too many connections', () => {
  test('of one address keep no other from being answered', async () => {
    await using opened = await open(first, { stored: [machineClass()], limits: { connections: 3 } })
    const { port } = opened.webhook.address
    const silent = [await connected(port), await connected(port), await connected(port)]
    const newest = Promise.race(silent.map((socket) => once(socket, 'close')))
    using wire = new Wire(await handshake(opened.webhook, { localAddress: '127.0.0.2' }))
    await wire.send(posted('Connection: close\r\n'))
    expect((await wire.answer()).status).toBe(200)
    await newest
    expect(silent.map(({ destroyed }) => destroyed)).toEqual([false, false, true])
    for (const socket of silent) socket.destroy()
  })
})

describe('the end', () => {
  test('waits for the answer that is under way, and closes everything else', async () => {
    const [begun, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const api = {
      get: async () => {
        begun.resolve()
        await go.promise
        return machineClass()
      },
    }
    const opened = await open(first, { api })
    const [running, silent] = [await handshake(opened.webhook), await handshake(opened.webhook)]
    const shaking = await connected(opened.webhook.address.port)
    const closings = [silent, shaking].map((socket) => once(socket, 'close'))
    using wire = new Wire(running)
    await wire.send(posted())
    await begun.promise
    const ended = opened[Symbol.asyncDispose]()
    go.resolve()
    const answer = await wire.answer()
    expect(answer.status).toBe(200)
    expect(answer.text).toMatch(/connection: close/i)
    await within(5000, 'the end', Promise.all([...closings, ended]))
    await expect(connected(opened.webhook.address.port)).rejects.toThrow('ECONNREFUSED')
  })

  test('does not wait longer than an answer may take', async () => {
    const begun = Promise.withResolvers<void>()
    const api = {
      get: async () => {
        begun.resolve()
        return await new Promise<never>(() => undefined)
      },
    }
    const opened = await open(first, { api, limits: { answeredWithin: 50 } })
    const socket = await handshake(opened.webhook)
    socket.write(posted())
    await begun.promise
    await within(5000, 'the end', opened[Symbol.asyncDispose]())
    socket.destroy()
  })
})
