import { X509Certificate } from 'node:crypto'
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TlsFiles } from '../../../src/tls/pair.ts'
import { Renewal } from '../../../src/tls/renewal.ts'
import { within } from '../../support/deadline.ts'
import { temporaryFolder } from '../../support/temporary.ts'
import { Wire } from '../../support/wire.ts'
import { certify, type Certificates } from '../source/certificates.ts'
import { get, listening, serve, slowRoutes } from './listener-under-test.ts'

let first: Certificates
let second: Certificates
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let files: TlsFiles

beforeAll(async () => {
  folder = await temporaryFolder()
  ;[first, second] = await Promise.all([certify('IP:127.0.0.1'), certify('IP:127.0.0.1')])
})
afterAll(() => folder[Symbol.asyncDispose]())

let nth = 0
beforeEach(async () => {
  nth += 1
  files = await write(join(folder.path, String(nth)), first)
})

async function write(into: string, { cert, key }: Certificates): Promise<TlsFiles> {
  await mkdir(into, { recursive: true })
  const paths = { cert: join(into, 'tls.crt'), key: join(into, 'tls.key') }
  await Promise.all([writeFile(paths.cert, cert), writeFile(paths.key, key)])
  return paths
}

const printOf = (pem: string) => new X509Certificate(pem).fingerprint256

async function handshake(base: string, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const { hostname, port } = new URL(base)
  return await new Promise((resolve, reject) => {
    const to = { host: hostname, port: Number(port), ca: first.ca, ...options }
    const socket = connect(to, () => resolve(socket)).once('error', reject)
  })
}

describe('over TLS', () => {
  test('the listener speaks HTTP/1.1 from TLS 1.2 on', async () => {
    await using served = await serve(slowRoutes().routes, { tls: files })
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const options = { maxVersion: version, ALPNProtocols: ['h2', 'http/1.1'] }
      const socket = await handshake(served.base, options)
      expect([socket.getProtocol(), socket.alpnProtocol]).toEqual([version, 'http/1.1'])
      using wire = new Wire(socket)
      await wire.send(get('/', 'Connection: close\r\n'))
      expect((await wire.answer()).status).toBe(200)
    }
    const ciphers = 'DEFAULT@SECLEVEL=0'
    const old = handshake(served.base, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers })
    await expect(old).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' })
  })

  test('a request in plain HTTP is not answered, only closed', async () => {
    await using served = await serve(slowRoutes().routes, { tls: files })
    using wire = await served.connect()
    await wire.send(get('/'))
    expect((await wire.answer()).text).not.toContain('HTTP')
    const told = () => served.lines.filter(({ msg }) => msg === 'a TLS handshake failed')
    await expect.poll(told, { timeout: 5000 }).toMatchObject([{ level: 20 }])
  })

  test('a handshake that does not come to its end is given up', async () => {
    await using served = await serve(slowRoutes().routes, {
      tls: files,
      limits: { handshakeWithin: 100 },
    })
    using wire = await served.connect()
    expect((await wire.answer()).text).toBe('')
  })

  test('half a head is given up in time, with an answer', async () => {
    await using served = await serve(slowRoutes().routes, {
      tls: files,
      limits: { headWithin: 100 },
    })
    using wire = new Wire(await handshake(served.base))
    await wire.send('GET / HTTP/1.1\r\n')
    expect((await wire.answer()).status).toBe(408)
  })

  test('the end waits for answers, not for idle connections and handshakes', async () => {
    const { routes, asked, go } = slowRoutes()
    await using served = await serve(routes, { tls: files, limits: { silentAtEnd: 50 } })
    using wire = new Wire(await handshake(served.base))
    using idle = new Wire(await handshake(served.base))
    await idle.send(get('/'))
    await idle.hears('here')
    using silent = await served.connect()
    using unasked = new Wire(await handshake(served.base))
    await wire.send(get('/slow'))
    await asked
    const closed = served.listener.close(15_000)
    await Promise.all([idle.answer(), silent.answer(), unasked.answer()])
    go()
    expect((await wire.answer()).text).toMatch(/\r\nConnection: close\r\n[^]+slow$/)
    await within(1000, 'the end', closed)
  })
})

describe('the start is refused in one line', () => {
  const opened = (tls: TlsFiles) => serve(slowRoutes().routes, { tls })

  test('when a file is not there', async () => {
    await rm(files.key)
    await expect(opened(files)).rejects.toThrow(/^no HTTPS .+tls\.key cannot be read \(ENOENT\)$/)
  })

  test.each(['cert', 'key'] as const)('when the %s is no PEM', async (which) => {
    await writeFile(files[which], 'nonsense')
    await expect(opened(files)).rejects.toThrow(/^no HTTPS .+ holds no .+ in PEM.* \(\S+\)$/)
  })

  test('when the key is of another certificate', async () => {
    await writeFile(files.key, second.key)
    await expect(opened(files)).rejects.toThrow(/the key in .+ does not belong to/)
  })

  test('when the chain is cut', async () => {
    await writeFile(files.cert, first.cert + first.ca.slice(0, 300))
    await expect(opened(files)).rejects.toThrow(/^no HTTPS .+ cannot be used with its key/)
  })
})

describe('certificate and key', () => {
  const every = 20

  async function followed(tls: TlsFiles, now = Date.now) {
    const { log, lines } = listening()
    const renewal = await Renewal.open(tls, { log, named: 'two settings', every, now })
    const used: string[] = []
    renewal.follow(({ cert }) => void used.push(printOf(cert.toString())))
    const told = (level: number) => lines.filter((line) => line.level === level)
    return { used, told, [Symbol.dispose]: () => renewal[Symbol.dispose]() }
  }

  test('are read again when both have changed, and not before', async () => {
    using renewal = await followed(files)
    await writeFile(files.cert, second.cert)
    await expect.poll(() => renewal.told(50), { timeout: 5000 }).toHaveLength(1)
    expect(renewal.told(50)[0]).toMatchObject({
      reason: expect.stringContaining('does not belong to the certificate'),
      kept: { subject: 'CN=neighbour' },
    })
    expect(renewal.used).toEqual([])
    await writeFile(files.key, second.key)
    await expect.poll(() => renewal.used, { timeout: 5000 }).toEqual([printOf(second.cert)])
    expect(renewal.told(30)).toMatchObject([
      { msg: 'certificate and key were reloaded', subject: 'CN=neighbour' },
    ])
    expect(renewal.told(30)[0]).toHaveProperty('validTo')
    expect(renewal.told(50).length).toBeLessThanOrEqual(2)
  })

  test('are read again when a link leads to others', async () => {
    const root = join(folder.path, 'mounted')
    await write(join(root, 'before'), first)
    await write(join(root, 'after'), second)
    await symlink('before', join(root, 'data'))
    const linked = { cert: join(root, 'data', 'tls.crt'), key: join(root, 'data', 'tls.key') }
    using renewal = await followed(linked)
    await symlink('after', join(root, 'data-new'))
    await rename(join(root, 'data-new'), join(root, 'data'))
    await expect.poll(() => renewal.used, { timeout: 5000 }).toEqual([printOf(second.cert)])
    expect(renewal.told(50)).toEqual([])
  })

  test('that are gone are told once, and kept', async () => {
    using renewal = await followed(files)
    await Promise.all([rm(files.cert), rm(files.key)])
    await expect.poll(() => renewal.told(50).length, { timeout: 5000 }).toBeGreaterThan(0)
    const told = renewal.told(50).length
    await write(join(files.cert, '..'), second)
    await expect.poll(() => renewal.used, { timeout: 5000 }).toEqual([printOf(second.cert)])
    // One may go, and come, before the other.
    expect(told).toBeLessThanOrEqual(2)
  })

  test('that expire within seven days are warned of once a day', async () => {
    const { validToDate } = new X509Certificate(first.cert)
    const days = (count: number) => validToDate.getTime() + count * 86_400_000
    let now = days(-8)
    using renewal = await followed(files, () => now)
    const warnings = () => renewal.told(40).map(({ msg }) => msg.split(';')[0])
    now = days(-6)
    await expect.poll(warnings, { timeout: 5000 }).toEqual(['the certificate expires soon'])
    now = days(1)
    await expect
      .poll(warnings, { timeout: 5000 })
      .toEqual(['the certificate expires soon', 'the certificate has expired'])
  })
})
