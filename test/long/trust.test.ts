import { writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { needs } from '../support/programs.ts'
import { startProxy } from '../support/proxy.ts'
import { serveOn, startService } from '../support/service.ts'
import { attempt } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { certify } from '../unit/source/certificates.ts'

const able = needs('openssl', 'apt-get install openssl')

describe.skipIf(!able)('what SSL_CERT_FILE holds', () => {
  test('is trusted for sources and for proxies, beside a caBundle', async () => {
    const tls = await certify('DNS:mirror.example', 'IP:127.0.0.1')
    const other = await certify('DNS:other.example')
    await using held = new AsyncDisposableStack()
    const { path } = held.use(await temporaryFolder())
    const proxy = held.use(await startProxy({ tls }))
    const neighbour = held.use(await startNeighbour({ tls }))
    const stranger = held.use(await startNeighbour({ tls: other }))
    await writeFile(`${path}/ca.pem`, `# ours\n${tls.ca}`)
    const { rest } = held.use(
      await startService({ SSL_CERT_FILE: `${path}/ca.pem`, HTTPS_PROXY: proxy.url() }),
    )
    neighbour.serve('/image', { bytes: disk(mebibyte) })
    await rest.createFrom('trusted', neighbour.url('/image', 'mirror.example'))
    await rest.ready('trusted')
    expect(proxy.asked).toMatchObject([
      { method: 'CONNECT', target: `mirror.example:${neighbour.port}` },
    ])
    stranger.serve('/image', { bytes: disk(mebibyte) })
    const url = stranger.url('/image', 'other.example')
    await rest.createFrom('stranger', url)
    await rest.reaches('stranger', 'Failed')
    const caBundle = Buffer.from(other.ca).toString('base64')
    await rest.create('bundled', { type: 'HTTP', http: { url, caBundle } })
    await rest.ready('bundled')
  })

  test.each([
    ['missing', null, 'it cannot be read (ENOENT)'],
    ['empty', '', 'it holds no certificate'],
    [
      'broken',
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      'one that cannot be read',
    ],
  ])('stops the start with one line when the file is %s', async (_, text, told) => {
    await using folder = await temporaryFolder()
    const path = `${folder.path}/ca.pem`
    if (text !== null) await writeFile(path, text)
    const { args, env } = serveOn(folder.path, { SSL_CERT_FILE: path })
    const { code, stderr } = await attempt(process.execPath, args, { env })
    expect(code).toBe(2)
    expect(stderr).toContain(`SSL_CERT_FILE is "${path}": it`)
    expect(stderr).toContain(told)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })
})
