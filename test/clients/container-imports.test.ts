import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startZot, zot } from '../bench/peers/zot.ts'
import { missing } from '../bench/programs.ts'
import { accounts, callers } from '../support/clients-access.ts'
import { startPeer } from '../support/clients-daemon.ts'
import { startTap } from '../support/clients-tap.ts'
import { clientHome, hostOf, needsTool, tool, type Home } from '../support/clients.ts'
import {
  builtByBuildah,
  builtForPlatforms,
  canMakeImages,
  compressedAs,
  madeByUmoci,
  push,
  saved,
  type LocalImage,
} from '../support/container-images.ts'
import { disk } from '../support/disks.ts'
import { needs } from '../support/programs.ts'
import { canPull } from '../support/pull.ts'
import { send } from '../support/rest.ts'
import { startService } from '../support/service.ts'
import { Taker } from '../support/taker.ts'
import { certify } from '../unit/source/certificates.ts'

const able = [
  needs('docker-registry', 'apt-get install docker-registry'),
  needs('htpasswd', 'apt-get install apache2-utils'),
  needs('openssl', 'apt-get install openssl'),
  needsTool('registry'),
  canMakeImages(),
  canPull(),
].every(Boolean)

/** Not to be had as a package or a Go module, so it is never asked for. */
const [lacking] = await missing([zot])
if (lacking) console.warn('zot is not installed, so nothing is taken out of it')

const bytes = disk(300 * 1024)
const older = disk(200 * 1024, 1)
const platform = 'linux/amd64'

describe.skipIf(!able)('a disk is taken out of a container image', () => {
  const resources = new AsyncDisposableStack()
  let home: Home
  let taker: Taker
  let file: string
  let built: LocalImage

  beforeAll(async () => {
    home = resources.use(await clientHome())
    taker = new Taker(resources.use(await startService()), home)
    file = home.at('x.img')
    await writeFile(file, bytes)
    await writeFile(home.at('old.img'), older)
    built = await builtByBuildah(home, { 'x.img': file })
  })
  afterAll(() => resources.disposeAsync())

  async function login(host: string, name: string, secret: string): Promise<void> {
    await home.run('skopeo', 'login', '--tls-verify=false', '-u', name, '-p', secret, host)
  }

  describe('at docker-registry', () => {
    let host: string
    beforeAll(async () => {
      host = hostOf(resources.use(await startPeer(home)).base)
    })

    test('as buildah builds it from the Dockerfile of the guide, by tag and by digest', async () => {
      const to = `${host}/team/buildah:1`
      const digest = await push(home, built, to)
      const { status } = await taker.expectDisk({ image: to }, bytes, { digest, platform })
      expect(status).toMatchObject({
        format: 'raw',
        progress: '100%',
        details: { partitionTable: 'mbr' },
      })
      for (const image of [`${host}/team/buildah@${digest}`, `docker://${to}@${digest}`])
        await taker.expectDisk({ image }, bytes, { digest, platform })
    })

    test('with the disk compressed in the layer', async () => {
      await home.run('gzip', '-k', file)
      const packed = home.at('x.img.gz')
      const dockerfile = ['FROM scratch', 'COPY x.img.gz /disk/']
      const image = await builtByBuildah(home, { 'x.img.gz': packed }, dockerfile)
      const to = `${host}/team/packed:1`
      const expected = { digest: await push(home, image, to), platform }
      const inside = await readFile(packed)
      await taker.expectDisk({ image: to }, bytes, { ...expected, file: inside })
    })

    test('none that is not there', async () => {
      for (const name of ['nothing:1', 'buildah:2']) {
        const image = `${host}/team/${name}`
        const message = `the registry has no such image as ${image}; check repository and tag`
        await taker.expectFailure({ image }, 'SOURCE_REFUSED', message)
      }
    })
  })

  describe('at docker-registry that asks for a password', () => {
    const { name: username, secret: password } = accounts.puller
    let host: string
    beforeAll(async () => {
      await callers(home)
      const htpasswd = home.at('htpasswd')
      host = hostOf(resources.use(await startPeer(home, { htpasswd })).base)
      await login(host, username, password)
    })

    test('by name and password, as umoci makes it', async () => {
      const image = `${host}/team/umoci:1`
      const digest = await push(home, await madeByUmoci(home, [file, '/disk/x.img']), image)
      const auth = { username, password }
      await taker.expectDisk({ image, auth }, bytes, { digest, platform })
    })

    test('by what skopeo login keeps, in the format of docker', async () => {
      const image = `${host}/team/docker:1`
      const digest = await push(home, built, image, 'docker')
      const kept = await readFile(home.at('auth.json'), 'utf8')
      const auth = { '.dockerconfigjson': kept }
      await taker.expectDisk({ image, auth }, bytes, { digest, platform })
    })

    test('not without them, with wrong ones, or with those of another registry', async () => {
      const image = `${host}/team/docker:1`
      const of = `the registry asks for credentials for ${host}/team/docker; `
      await taker.expectFailure({ image }, 'SOURCE_REFUSED', `${of}check the name, or give auth`)
      await taker.expectFailure(
        { image, auth: { username, password: 'guessed' } },
        'SOURCE_REFUSED',
        `the registry does not take the credentials for ${host}/team/docker; check them`,
      )
      const auths = { 'registry.example.com': { auth: Buffer.from('a:b').toString('base64') } }
      await taker.expectFailure(
        { image, auth: { '.dockerconfigjson': JSON.stringify({ auths }) } },
        'SOURCE_REFUSED',
        `${of}add an entry for ${host} to .dockerconfigjson`,
      )
    })
  })

  describe('at docker-registry over TLS', () => {
    const image = (base: string) => `${hostOf(base)}/team/zstd:1`
    let base: string
    let digest: string
    let caBundle: string
    beforeAll(async () => {
      const { ca, cert, key } = await certify('IP:127.0.0.1')
      caBundle = Buffer.from(ca).toString('base64')
      const tls = { certificate: home.at('cert.pem'), key: home.at('key.pem') }
      await writeFile(tls.certificate, cert)
      await writeFile(tls.key, key)
      base = resources.use(await startPeer(home, { tls })).base
      digest = await push(home, await compressedAs(home, built, 'zstd'), image(base))
    })

    test('with its authority, or without looking', async () => {
      for (const trust of [{ caBundle }, { insecureSkipTLSVerify: true }])
        await taker.expectDisk({ image: image(base), ...trust }, bytes, { digest, platform })
    })

    test('not without it, loopback or not', async () => {
      await taker.expectFailure(
        { image: image(base) },
        'SOURCE_REFUSED',
        /^the certificate of 127\.0\.0\.1\S* is not trusted \(\w+\); give its CA as caBundle$/,
      )
    })
  })

  describe('at distribution 3, with another disk for each platform', () => {
    const index = ['as it is', 'docker'] as const
    const disks = { amd64: bytes, arm64: older, riscv64: older } as const
    let image: (format: (typeof index)[number]) => string
    const digests = new Map<string, string>()
    beforeAll(async () => {
      const host = hostOf(resources.use(await startPeer(home, { program: tool('registry') })).base)
      image = (format) => `${host}/team/platforms:${format.replaceAll(' ', '-')}`
      const old = home.at('old.img')
      const all = await builtForPlatforms(home, { arm64: old, riscv64: old, amd64: file })
      for (const format of index) digests.set(format, await push(home, all, image(format), format))
    })

    test.each(index)('the one that is asked for, or that of amd64: %s', async (format) => {
      const digest = digests.get(format) ?? ''
      const section = { image: image(format) }
      await taker.expectDisk(section, disks.amd64, { digest, platform })
      for (const [architecture, content] of Object.entries(disks)) {
        const platform = `linux/${architecture}`
        const asked = { ...section, platform }
        const { status } = await taker.expectDisk(asked, content, { digest, platform })
        expect(status).toMatchObject({ format: 'raw' })
      }
    })

    test.each(index)('none that is not there: %s', async (format) => {
      await taker.expectFailure(
        { image: image(format), platform: 'linux/s390x' },
        'INVALID_OCI',
        'the image has linux/amd64, linux/arm64 and linux/riscv64, not linux/s390x',
      )
    })

    test('none of an image that is for another platform', async () => {
      const sole = image('as it is').replace(/:[^:]*$/, ':sole')
      const digest = await push(home, built, sole)
      await taker.expectFailure(
        { image: sole, platform: 'linux/arm64' },
        'INVALID_OCI',
        'the image has linux/amd64, not linux/arm64',
      )
      await taker.expectDisk({ image: sole, platform }, bytes, { digest, platform })
    })
  })

  describe('at another service of this kind, by token', () => {
    const { name: username, secret: password } = accounts.puller
    const auth = { username, password }

    test('as docker saves it, plain, and as that service keeps it', async () => {
      const there = resources.use(await startService(await callers(home)))
      const tap = resources.use(await startTap(there.base, { scheme: 'Bearer' }))
      const host = hostOf(tap.base)
      const { editor } = accounts
      await login(hostOf(there.base), editor.name, editor.secret)
      const made = {
        saved: await saved(home, built),
        plain: await compressedAs(home, built, 'plain'),
      }
      for (const [name, local] of Object.entries(made)) {
        const digest = await push(home, local, `${hostOf(there.base)}/team/${name}:1`)
        const image = `${host}/team/${name}:1`
        await taker.expectDisk({ image, auth }, bytes, { digest, platform })
      }
      const owner = there.rest.as(editor.secret)
      await send(await owner.createUpload('uploaded'), older)
      const { digest = '' } = (await owner.image('uploaded')).status.target
      const image = `${host}/cvi/uploaded:latest`
      await taker.expectDisk({ image, auth }, older, { digest, platform })
      const schemes = tap.overheard.filter(({ status }) => status === 200)
      expect(new Set(schemes.map(({ scheme }) => scheme))).toEqual(new Set(['Basic', 'Bearer']))
      const withPassword = schemes.filter(({ scheme }) => scheme === 'Basic')
      expect(withPassword.map(({ path }) => path.split('?')[0])).toEqual(Array(3).fill('/token'))
    })
  })
  if (!lacking)
    test('at zot', async () => {
      const { signal } = new AbortController()
      const variant = { synced: false, core: null }
      const { base } = await startZot(
        await mkdtemp(home.at('zot-')),
        { signal },
        resources,
        variant,
      )
      for (const compression of ['gzip', 'zstd', 'plain'] as const) {
        const image = `${hostOf(base)}/team/${compression}:1`
        const digest = await push(home, await compressedAs(home, built, compression), image)
        await taker.expectDisk({ image }, bytes, { digest, platform })
      }
    })
})
