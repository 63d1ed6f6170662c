import { readdir, readFile, rename, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { expectNothing, expectOnly } from '../support/leftovers.ts'
import { needsNginx, startNginx, type Nginx } from '../support/nginx.ts'
import { needs } from '../support/programs.ts'
import { get, readiness } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { certify } from '../unit/source/certificates.ts'

const size = 40 * mebibyte
const bytes = disk(size)
const cut = 0.9 * size
/** The first nine tenths come as fast as they can, the rest would take a minute. */
const crawl = `limit_rate_after ${cut}; limit_rate 64k;`
/** What a cut may cost. */
const most = 1.05 * size

async function expectWhole(service: Service, name: string, whole: Buffer = bytes): Promise<void> {
  const { status } = await service.rest.ready(name)
  expect(status.source).toMatchObject({
    bytes: String(whole.length),
    sha256: digestOf(whole).slice('sha256:'.length),
  })
  const read = await get(service.rest.url(`/${name}/disk`))
  expect(Buffer.from(await read.arrayBuffer()).equals(whole)).toBe(true)
  await expectOnly(service.folder, [name])
}

async function untilMostIsIn({ rest }: Service): Promise<void> {
  await rest.until('cut', ({ status }) => Number(status.receivedBytes) >= cut)
}

/** How much of it survives a crash. */
async function durable({ folder }: Service): Promise<number> {
  const staging = join(folder, 'staging')
  const [id = ''] = await readdir(staging)
  return Number(await readFile(join(staging, id, 'offset'), 'latin1').catch(() => '0'))
}

/** Says in the output what a cut has cost. */
async function cost(nginx: Nginx, how: string): Promise<number> {
  await nginx.stop()
  const moved = await nginx.moved()
  console.info(`${how}: ${((moved / size - 1) * 100).toFixed(2)} % of the bytes again`)
  return moved
}

describe.skipIf(!needsNginx())('an import from nginx', () => {
  test('comes whole, once', async () => {
    await using nginx = await startNginx()
    await using service = await startService()
    await service.rest.createFrom('one', await nginx.put('a.img', bytes))
    await expectWhole(service, 'one')
    expect(await cost(nginx, 'nothing happened')).toBe(size)
  })

  test('goes on where a restart of nginx broke it', async () => {
    await using nginx = await startNginx({ directives: crawl })
    await using service = await startService()
    await service.rest.createFrom('cut', await nginx.put('a.img', bytes))
    await untilMostIsIn(service)
    await nginx.stop()
    await service.rest.until('cut', ({ status }) => (status.retries ?? 0) > 0)
    await nginx.start()
    await expectWhole(service, 'cut')
    expect(await cost(nginx, 'restart of nginx')).toBeLessThan(most)
    const [first, second] = await nginx.accesses()
    expect([first?.status, second?.status]).toEqual([200, 206])
    expect(second?.range).toMatch(/^bytes=3[67]\d{6}-$/)
  })

  test.each(['kill -9', 'SIGTERM'])('goes on after %s of the service', async (how) => {
    await using nginx = await startNginx({ directives: crawl })
    await using service = await startService()
    await service.rest.createFrom('cut', await nginx.put('a.img', bytes))
    await untilMostIsIn(service)
    if (how === 'SIGTERM') await service.stop()
    else {
      await expect.poll(() => durable(service), { timeout: 10_000 }).toBeGreaterThan(cut * 0.97)
      await service.kill()
    }
    await nginx.stop()
    await nginx.start()
    await service.start()
    await expectWhole(service, 'cut')
    expect(await cost(nginx, how)).toBeLessThan(most)
  })

  test.each([
    ['another file of the same size', disk(size, 7)],
    ['a larger one', disk(size + mebibyte, 7)],
    ['one that is shorter than what was taken', disk(mebibyte, 7)],
  ])('begins again for %s in its place', async (_what, other) => {
    await using nginx = await startNginx({ directives: crawl })
    await using service = await startService()
    await service.rest.createFrom('cut', await nginx.put('a.img', bytes))
    await untilMostIsIn(service)
    await nginx.stop()
    await nginx.put('b.img', other)
    // nginx makes its ETag of the size and the second in which the file was written.
    await utimes(nginx.at('b.img'), 1, 1_500_000_000)
    await rename(nginx.at('b.img'), nginx.at('a.img'))
    await nginx.start()
    await expectWhole(service, 'cut', other)
    const answers = await nginx.accesses()
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(answers[1]?.range).toMatch(/^bytes=\d+-$/)
  })

  test('begins again where it gives no ranges', async () => {
    await using nginx = await startNginx({ directives: `max_ranges 0; ${crawl}` })
    await using service = await startService()
    await service.rest.createFrom('cut', await nginx.put('a.img', bytes))
    await untilMostIsIn(service)
    await nginx.stop()
    await nginx.start('max_ranges 0;')
    await expectWhole(service, 'cut')
    const moved = await cost(nginx, 'restart of nginx without ranges')
    expect(moved).toBeGreaterThan(1.89 * size)
    expect(moved).toBeLessThan(1.95 * size)
  })

  test('is not worth trying again when the file is gone', async () => {
    await using nginx = await startNginx({ directives: crawl })
    await using service = await startService()
    await service.rest.createFrom('cut', await nginx.put('a.img', bytes))
    await untilMostIsIn(service)
    await nginx.stop()
    await rename(nginx.at('a.img'), nginx.at('b.img'))
    await nginx.start()
    const image = await service.rest.reaches('cut', 'Failed')
    expect(readiness(image).message).toMatch(/^the source answered 404 Not Found for http/)
    await service.rest.delete('cut')
    await expectNothing(service.folder)
  })
})

describe.skipIf(!needsNginx())('nginx', () => {
  const resources = new AsyncDisposableStack()
  const small = disk(mebibyte)
  let service: Service
  beforeAll(async () => {
    service = resources.use(await startService({ SLIPWAY_IMPORT_RETRY_FOR: '1s' }))
  })
  afterAll(() => resources.disposeAsync())

  async function removed(name: string): Promise<void> {
    await service.rest.delete(name)
    await expectNothing(service.folder)
  }

  test('with auth_basic is shown the credentials, and nobody without them gets in', async () => {
    await using nginx = await startNginx()
    const file = await nginx.users('user', 'päss:word')
    await nginx.stop()
    await nginx.start(`auth_basic "images"; auth_basic_user_file ${file};`)
    const url = await nginx.put('a.img', small)
    const http = { url, auth: { basic: { username: 'user', password: 'päss:word' } } }
    await service.rest.create('one', { type: 'HTTP', http })
    await expectWhole(service, 'one', small)
    await removed('one')
    await service.rest.createFrom('two', url)
    const refused = await service.rest.reaches('two', 'Failed')
    expect(readiness(refused).message).toMatch(/401 Unauthorized .+; check the credentials$/)
    await removed('two')
    const inUrl = url.replace('//', `//user:${encodeURIComponent('päss:word')}@`)
    await service.rest.createFrom('three', inUrl)
    const { status } = await service.rest.ready('three')
    expect(status.source?.url).toBe(url)
    await removed('three')
    expect(service.logs.toString()).not.toMatch(/p(?:ä|%C3%A4)ss:/)
  })

  test.skipIf(!needs('openssl', 'apt-get install openssl'))(
    'over TLS is trusted by a caBundle alone',
    async () => {
      const tls = await certify('IP:127.0.0.1')
      await using nginx = await startNginx({ tls: { key: tls.key, cert: tls.cert } })
      const url = await nginx.put('a.img', small)
      const caBundle = Buffer.from(tls.ca).toString('base64')
      await service.rest.create('one', { type: 'HTTP', http: { url, caBundle } })
      await expectWhole(service, 'one', small)
      await removed('one')
      await service.rest.createFrom('two', url)
      const refused = await service.rest.reaches('two', 'Failed')
      expect(readiness(refused).message).toMatch(/not trusted .+; give its CA as caBundle$/)
      await removed('two')
    },
  )

  test('that compresses in spite of identity gives the same disk', async () => {
    await using nginx = await startNginx({ directives: 'gzip_static always;' })
    const packed = gzipSync(small)
    await nginx.put('a.img.gz', packed)
    const url = await nginx.put('a.img', Buffer.from('not this one'))
    await service.rest.createFrom('one', url)
    const { status } = await service.rest.ready('one')
    expect(status.source?.bytes).toBe(String(packed.length))
    const read = await get(service.rest.url('/one/disk'))
    expect(Buffer.from(await read.arrayBuffer()).equals(small)).toBe(true)
    await removed('one')
  })

  test('that limits each connection is waited for', async () => {
    await using nginx = await startNginx({ directives: 'limit_rate 2m;' })
    const url = await nginx.put('a.img', disk(4 * mebibyte))
    await service.rest.createFrom('one', url)
    await expectWhole(service, 'one', disk(4 * mebibyte))
    await nginx.stop()
    expect(await nginx.moved()).toBe(4 * mebibyte)
    await removed('one')
  })
})
