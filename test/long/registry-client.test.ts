import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Code } from '../../src/errors.ts'
import { passwordLine, tokenLine, tokenOf } from '../support/callers.ts'
import { startPeer } from '../support/clients-daemon.ts'
import { clientHome, hostOf, type Home } from '../support/clients.ts'
import { needs } from '../support/programs.ts'
import {
  expectAll,
  makeGoods,
  partsOf,
  shopper,
  soon,
  stock,
  type Goods,
} from '../support/registry-pulls.ts'
import { startService } from '../support/service.ts'
import { certify } from '../unit/source/certificates.ts'

const able = [
  needs('docker-registry', 'apt-get install docker-registry'),
  needs('skopeo', 'apt-get install skopeo'),
  needs('openssl', 'apt-get install openssl'),
].every(Boolean)

const failing = (code: Code, message: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(message) })

describe.skipIf(!able)('images are pulled', () => {
  const resources = new AsyncDisposableStack()
  let home: Home
  let goods: Goods

  beforeAll(async () => {
    home = resources.use(await clientHome())
    goods = await makeGoods(home)
    await writeFile(home.at('htpasswd'), await passwordLine('me', 'pass:word'))
  })
  afterAll(() => resources.disposeAsync())

  const me = { auth: { username: 'me', password: 'pass:word' } }

  test('from docker-registry', async () => {
    await using peer = await startPeer(home)
    const repository = `${hostOf(peer.base)}/team/image`
    await stock(home, goods, repository)
    await expectAll(shopper({ repository }), goods)
    const gone = shopper({ repository: `${repository}-gone` }).manifest('one', soon())
    await expect(gone).rejects.toEqual(failing('SOURCE_REFUSED', 'has no such image as'))
  })

  test('from docker-registry with passwords', async () => {
    await using peer = await startPeer(home, { htpasswd: home.at('htpasswd') })
    const repository = `${hostOf(peer.base)}/team/image`
    await stock(home, goods, repository, 'me:pass:word')
    await expectAll(shopper({ repository, section: me }), goods)

    const auth = Buffer.from('me:pass:word').toString('base64')
    const config = JSON.stringify({ auths: { [`http://${hostOf(peer.base)}/v2/`]: { auth } } })
    const inConfig = { auth: { '.dockerconfigjson': config } }
    await expectAll(shopper({ repository, section: inConfig }), goods)

    const wrong = { auth: { username: 'me', password: 'word' } }
    const refused = shopper({ repository, section: wrong }).manifest('one', soon())
    await expect(refused).rejects.toEqual(failing('SOURCE_REFUSED', 'check them'))
    const nobody = shopper({ repository }).manifest('one', soon())
    await expect(nobody).rejects.toEqual(failing('SOURCE_REFUSED', 'give auth'))
  })

  test('from docker-registry with TLS', async () => {
    const { ca, cert, key } = await certify('IP:127.0.0.1')
    await writeFile(home.at('cert.pem'), cert)
    await writeFile(home.at('key.pem'), key)
    const tls = { certificate: home.at('cert.pem'), key: home.at('key.pem') }
    await using peer = await startPeer(home, { tls })
    const repository = `${hostOf(peer.base)}/team/image`
    await stock(home, goods, repository)
    const section = { caBundle: Buffer.from(ca).toString('base64') }
    await expectAll(shopper({ repository, section }), goods)
    await expectAll(shopper({ repository, section: { insecureSkipTLSVerify: true } }), goods)

    const untrusted = shopper({ repository }).manifest('one', soon())
    await expect(untrusted).rejects.toEqual(failing('SOURCE_REFUSED', 'is not trusted'))
  })

  test('from another Slipway, with a token', async () => {
    const lines = ['editor', 'viewer'].map((role) => tokenLine(role, role))
    await writeFile(home.at('tokens'), lines.join(''))
    const SLIPWAY_TOKENS_FILE = home.at('tokens')
    await using service = await startService({ SLIPWAY_TOKENS_FILE })
    const repository = `${hostOf(service.base)}/team/image`
    await stock(home, goods, repository, `editor:${tokenOf('editor')}`)
    const auth = { username: 'viewer', password: tokenOf('viewer') }
    await expectAll(shopper({ repository, section: { auth } }), goods)

    const wrong = { auth: { username: 'viewer', password: 'guessed' } }
    const refused = shopper({ repository, section: wrong }).manifest('one', soon())
    await expect(refused).rejects.toEqual(failing('SOURCE_REFUSED', 'check them'))
    const nobody = shopper({ repository }).manifest('one', soon())
    await expect(nobody).rejects.toEqual(failing('SOURCE_REFUSED', 'give auth'))
  })

  test.each(['docker-registry', 'Slipway'])('from %s over a line that breaks', async (name) => {
    await using peer = name === 'Slipway' ? await startService() : await startPeer(home)
    await stock(home, goods, `${hostOf(peer.base)}/team/image`)
    await using line = await startBadLine(Number(new URL(peer.base).port), 1_000_000)
    const pause = async () => {}
    const registry = shopper({ repository: `${line.host}/team/image`, options: { pause } })
    const part = (await partsOf(goods)).toSorted((a, b) => b.size - a.size)[0]
    if (!part) throw new Error('the image has no parts')
    const came = await buffer(await registry.blob(part, 0, soon()))
    expect(came.equals(await goods.layout.bytes(part.digest))).toBe(true)
    // What was on its way when the line broke comes again; nothing is read from its start.
    expect(line.connections()).toBeGreaterThanOrEqual(4)
    expect(line.passed()).toBeLessThan(2 * part.size)
  })
})

/** A way to a port on which every connection breaks after so many bytes of answers. */
async function startBadLine(port: number, breaksAfter: number) {
  let connections = 0
  let passed = 0
  const open = new Set<Socket>()
  const server = createServer((here) => {
    const there = connect(port, '127.0.0.1')
    for (const socket of [here, there]) {
      open.add(socket.on('error', () => undefined).on('close', () => open.delete(socket)))
    }
    connections += 1
    let left = breaksAfter
    here.pipe(there)
    there.on('data', (chunk: Buffer) => {
      const part = chunk.subarray(0, left)
      left -= part.length
      passed += part.length
      here.write(part)
      if (left > 0) return
      here.end()
      there.destroy()
    })
    there.on('close', () => here.end())
    here.on('close', () => there.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the line has no port')
  return {
    host: `127.0.0.1:${address.port}`,
    connections: () => connections,
    passed: () => passed,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}
