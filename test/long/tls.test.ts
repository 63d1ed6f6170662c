import { X509Certificate } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { get as ask } from 'node:https'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { imageSchema } from '../../src/image/status.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { needs } from '../support/programs.ts'
import { uploadUrl } from '../support/rest.ts'
import { serveOn, startService, type Service } from '../support/service.ts'
import { attempt, run } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { certify, type Certificates } from '../unit/source/certificates.ts'

const able = [
  needs('curl', 'apt-get install curl'),
  needs('skopeo', 'apt-get install skopeo'),
  needs('openssl', 'apt-get install openssl'),
].every(Boolean)

/** More than what both systems hold of a transfer that nobody reads. */
const bytes = disk(64 * mebibyte)

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let first: Certificates
let service: Service
const at = (name: string) => join(folder.path, name)

beforeAll(async () => {
  folder = await temporaryFolder()
  first = await certify('IP:127.0.0.1')
  await mkdir(at('trusted'))
  await Promise.all([put(first), writeFile(at('trusted/ca.crt'), first.ca)])
  service = await startService({
    SLIPWAY_TLS_CERT: at('tls.crt'),
    SLIPWAY_TLS_KEY: at('tls.key'),
  })
})
afterAll(async () => {
  await service[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

/** As people renew: one file after the other. */
async function put({ cert, key }: Certificates): Promise<void> {
  for (const [name, text] of [
    ['tls.crt', cert],
    ['tls.key', key],
  ] as const) {
    await writeFile(at(`${name}.new`), text)
    await rename(at(`${name}.new`), at(name))
  }
}

const base = () => service.base.replace('http:', 'https:')

async function curl(...args: readonly string[]): Promise<string> {
  return await run('curl', ['-sS', '--fail-with-body', '--cacert', at('trusted/ca.crt'), ...args])
}

async function begin(url: string): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    ask(url, { agent: false, ca: first.ca }, resolve).once('error', reject)
  })
}

/** The fingerprint of the certificate that a new connection gets. */
async function shown(): Promise<string | undefined> {
  const { hostname, port } = new URL(service.base)
  return await new Promise((resolve, reject) => {
    const socket = connect(
      { host: hostname, port: Number(port), rejectUnauthorized: false },
      () => {
        resolve(socket.getPeerX509Certificate()?.fingerprint256)
        socket.destroy()
      },
    ).once('error', reject)
  })
}

describe.skipIf(!able)('over HTTPS', () => {
  test('an image is created and sent with curl, and pulled with skopeo', async () => {
    const wanted = JSON.stringify({ name: 'secure', dataSource: { type: 'Upload' } })
    const json = ['-H', 'Content-Type: application/json', '-d', wanted]
    const created = await curl(`${base()}/api/v1/images`, ...json)
    const url = uploadUrl(imageSchema.parse(JSON.parse(created)))
    expect(url).toMatch(`${base()}/upload/`)
    await writeFile(at('disk.img'), bytes)
    await curl('-T', at('disk.img'), url)
    const source = `docker://${new URL(base()).host}/cvi/secure:latest`
    const trust = ['--src-cert-dir', at('trusted')]
    await run('skopeo', ['--insecure-policy', 'copy', ...trust, source, `dir:${at('pulled')}`])
    const manifest = JSON.parse(await readFile(at('pulled/manifest.json'), 'utf8'))
    const layer = await readFile(at(`pulled/${manifest.layers[0].digest.slice('sha256:'.length)}`))
    expect(layer.subarray(4096, 4096 + bytes.length).equals(bytes)).toBe(true)
  })

  test('commands trust it by SSL_CERT_FILE, as REST and as a registry', async () => {
    const trust = { SSL_CERT_FILE: at('trusted/ca.crt'), SLIPWAY_SOURCE_ALLOW: '127.0.0.0/8' }
    const commands = [['scrub'], ['inspect', `docker://${new URL(base()).host}/cvi/secure:latest`]]
    for (const command of commands) {
      const { args, env } = serveOn(at('none'), { ...trust, SLIPWAY_URL: base() })
      const [program = ''] = args
      const ended = await attempt(process.execPath, [program, ...command], { env })
      expect(ended).toMatchObject({ code: 0 })
    }
  })

  test('a client that does not know the authority is refused by itself', async () => {
    const { code } = await attempt('curl', ['-sS', `${base()}/healthz`])
    expect(code).toBe(60)
  })

  test('plain HTTP gets no answer', async () => {
    await expect(fetch(`${service.base}/healthz`)).rejects.toThrow('fetch failed')
  })

  test('a new certificate is shown to new connections, while a transfer goes on', async () => {
    const pull = await begin(`${base()}/api/v1/images/secure/disk`)
    const second = await certify('IP:127.0.0.1')
    const prints = [first, second].map(({ cert }) => new X509Certificate(cert).fingerprint256)
    expect(await shown()).toBe(prints[0])
    await put(second)
    await service.logs.line(({ msg }) => msg === 'certificate and key were reloaded')
    expect(await shown()).toBe(prints[1])
    expect((await buffer(pull)).equals(bytes)).toBe(true)
    await writeFile(at('trusted/ca.crt'), second.ca)
    await curl(`${base()}/healthz`)
  })

  test('SIGTERM ends it with exit code 0', () => service.stop())

  test('a key of another certificate stops the start with one line', async () => {
    await writeFile(at('tls.key'), first.key)
    const files = { SLIPWAY_TLS_CERT: at('tls.crt'), SLIPWAY_TLS_KEY: at('tls.key') }
    const { args, env } = serveOn(at('other'), files)
    const { code, stderr } = await attempt(process.execPath, args, { env })
    expect(code).toBe(2)
    expect(stderr).toBe(
      `no HTTPS with SLIPWAY_TLS_CERT and SLIPWAY_TLS_KEY as they are: the key in ${at('tls.key')} does not belong to the certificate in ${at('tls.crt')}\n`,
    )
  })
})
