import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  accounts,
  callers,
  canGuard,
  expectAccess,
  own,
  type Account,
} from '../support/clients-access.ts'
import { startContainerd, type Containerd } from '../support/clients-daemon.ts'
import { Layout, manifestSchema, type Descriptor } from '../support/clients-layout.ts'
import { startTap } from '../support/clients-tap.ts'
import { clientHome, hostOf, needsRoot, said, type Home } from '../support/clients.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { content } from '../support/http-neighbour.ts'
import { sha256Of } from '../support/images.ts'
import { needs } from '../support/programs.ts'
import { get, send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { certify } from '../unit/source/certificates.ts'

const able = [
  needs('containerd', 'apt-get install containerd'),
  needs('ctr', 'apt-get install containerd'),
  needsRoot('containerd'),
  needs('openssl', 'apt-get install openssl'),
  canGuard(),
].every(Boolean)

const plain = '--plain-http'
/** The one that needs nothing of the kernel's filesystems. */
const native = ['--snapshotter', 'native']
/** More than the service and the system hold of an answer. */
const layerSize = 24 * mebibyte

/** Puts an image under this reference, as `ctr` names it. */
async function importImage(home: Home, address: readonly string[], reference: string) {
  const layout = await Layout.begin(home.at('own'))
  await layout.finish({ 1: await layout.image(own) })
  await home.run('tar', '-C', 'own', '-cf', 'own.tar', '.')
  const named = ['--base-name', 'own', 'own.tar']
  await home.run('ctr', ...address, 'images', 'import', ...native, ...named)
  await home.run('ctr', ...address, 'images', 'tag', '--force', 'own:1', reference)
}

describe.skipIf(!able)('containerd', () => {
  const resources = new AsyncDisposableStack()
  let service: Service
  let home: Home
  let daemon: Containerd
  let layout: Layout
  let index: Descriptor
  let layer: Descriptor
  const at = (name: string) => `${hostOf(service.base)}/${name}`
  const ctr = (...args: readonly string[]) => home.run('ctr', ...daemon.address, ...args)
  const attempt = (...args: readonly string[]) => home.attempt('ctr', ...daemon.address, ...args)

  beforeAll(async () => {
    home = resources.use(await clientHome())
    daemon = resources.use(await startContainerd(home))
    service = resources.use(await startService())
    layout = await Layout.begin(home.at('layout'))
    const image = await layout.image({ noise: content(layerSize, 0, 3) })
    const arm = await layout.image({ 'etc/hostname': 'arm\n' }, { architecture: 'arm64' })
    index = await layout.index({ amd64: image, arm64: arm })
    const { layers } = manifestSchema.parse(
      JSON.parse((await layout.bytes(image.digest)).toString()),
    )
    layer = layers[0] ?? image
    await layout.finish({ both: index })
    await home.run('tar', '-C', 'layout', '-cf', 'layout.tar', '.')
    await ctr(
      'images',
      'import',
      '--no-unpack',
      '--all-platforms',
      '--base-name',
      'l',
      'layout.tar',
    )
    await ctr('images', 'push', plain, at('demo/both:1'), 'l:both')
  })
  afterAll(() => resources.disposeAsync())

  /** Everything of the index, as a namespace of its own has it. */
  async function expectWhole(namespace: string): Promise<void> {
    for (const { digest } of [index, layer]) {
      const file = home.at(`${namespace}-content`)
      const get = ['ctr', ...daemon.address, '-n', namespace, 'content', 'get', digest]
      await home.run('sh', '-c', '"$@" > "$0"', file, ...get)
      expect(`sha256:${await sha256Of(file)}`).toBe(digest)
    }
  }

  test('pushes an index with its images and pulls it for all platforms', async () => {
    const answer = await get(`${service.base}/v2/demo/both/manifests/1`)
    expect(answer.headers.get('docker-content-digest')).toBe(index.digest)
    const all = ['--all-platforms', ...native]
    await ctr('-n', 'pulled', 'images', 'pull', plain, ...all, at('demo/both:1'))
    await expectWhole('pulled')
    const byDigest = at(`demo/both@${index.digest}`)
    expect(await ctr('-n', 'digest', 'images', 'pull', plain, ...native, byDigest)).toContain(
      'done',
    )
    await ctr('-n', 'pulled', 'images', 'push', plain, at('demo/again:1'), at('demo/both:1'))
    const again = await get(`${service.base}/v2/demo/again/manifests/1`)
    expect(again.headers.get('docker-content-digest')).toBe(index.digest)
  })

  test.each([1, 4096, 7 * mebibyte + 13, layerSize - 1])(
    'goes on with a layer after byte %i',
    async (offset) => {
      await using tap = await startTap(service.base)
      const namespace = `part-${offset}`
      await writeFile(home.at('part'), (await layout.bytes(layer.digest)).subarray(0, offset))
      const wanted = ['--expected-size', String(layer.size), '--expected-digest', layer.digest]
      const ingest = ['content', 'ingest', ...wanted, `layer-${layer.digest}`]
      const begun = ['ctr', ...daemon.address, '-n', namespace, ...ingest]
      // Ends with an error, as the rest is missing, and leaves what there is.
      await home.attempt('sh', '-c', '"$@" < "$0"', 'part', ...begun)
      await ctr('-n', namespace, 'content', 'fetch', plain, `${hostOf(tap.base)}/demo/both:1`)
      const asked = tap.overheard.filter(({ path }) => path.includes(`blobs/${layer.digest}`))
      expect(asked.map(({ range, status }) => [range, status])).toEqual([[`bytes=${offset}-`, 206]])
      await expectWhole(namespace)
    },
  )

  test('finds the disk of an upload in the image, byte for byte', async () => {
    const bytes = disk(16 * mebibyte)
    expect((await send(await service.rest.createUpload('guest'), bytes)).status).toBe(201)
    await ctr('images', 'pull', plain, ...native, at('cvi/guest:latest'))
    const found = await home.run('find', home.at('containerd'), '-path', '*/disk/disk.img')
    expect((await readFile(found.trim())).equals(bytes)).toBe(true)
  })

  test('pulls and pushes over HTTPS with the authority it is given, and not without', async () => {
    const { ca, cert, key } = await certify('IP:127.0.0.1')
    for (const [name, text] of Object.entries({ ca, cert, key })) {
      await writeFile(home.at(`${name}.pem`), text)
    }
    const files = { SLIPWAY_TLS_CERT: home.at('cert.pem'), SLIPWAY_TLS_KEY: home.at('key.pem') }
    await using secure = await startService({ ...files, ...(await callers(home)) })
    const host = hostOf(secure.base)
    const there = `${host}/demo/secure:1`
    const user = ['--user', `${accounts.editor.name}:${accounts.editor.secret}`]
    const known = await hosts('knowing', host, `ca = ${JSON.stringify(home.at('ca.pem'))}\n`)
    const trust = [...known, ...user]
    await ctr('images', 'push', ...trust, there, 'l:both')
    await ctr('-n', 'secure', 'images', 'pull', ...trust, '--all-platforms', ...native, there)
    await expectWhole('secure')
    const stranger = await attempt(
      'images',
      'pull',
      ...user,
      ...(await hosts('strange', host, '')),
      there,
    )
    expect(said(stranger)).toContain('certificate signed by unknown authority')
  })

  test("shows the service's own words where it shows any", async () => {
    const missing = await attempt('images', 'pull', plain, at('demo/both:missing'))
    expect(said(missing)).toContain('demo/both:missing: not found')
    const refused = await attempt('images', 'push', plain, at('cvi/x:1'), 'l:both')
    expect(said(refused)).toContain('403 Forbidden')
    const [, hex = ''] = layer.digest.split(':')
    const found = await home.run('find', service.folder, '-path', '*blobs*', '-name', `*${hex}*`)
    expect(found).not.toBe('')
    for (const path of found.trim().split('\n')) {
      await rm(path)
      await symlink(path, path)
    }
    const broken = await attempt('-n', 'broken', 'content', 'fetch', plain, at('demo/both:1'))
    expect(broken).toEqual(expect.not.objectContaining({ code: 0 }))
    expect(said(broken)).toContain('Server message: unsupported: ')
  })

  /** What containerd knows of a registry is a file in a folder of the registry's name. */
  async function hosts(folder: string, host: string, more: string): Promise<readonly string[]> {
    await mkdir(home.at(join(folder, host)), { recursive: true })
    const text = `server = "https://${host}"\n[host."https://${host}"]\n${more}`
    await writeFile(home.at(join(folder, host, 'hosts.toml')), text)
    return ['--hosts-dir', home.at(folder)]
  }
})

describe.skipIf(!able)('credentials', () => {
  const resources = new AsyncDisposableStack()
  let daemon: Containerd
  beforeAll(async () => {
    daemon = resources.use(await startContainerd(resources.use(await clientHome())))
  })
  afterAll(() => resources.disposeAsync())

  /** Each caller has a namespace, and with it images, of its own. */
  const of = (home: Home) => [...daemon.address, '-n', basename(home.path)]
  const shown = (account: Account | null) =>
    account ? ['--user', `${account.name}:${account.secret}`] : []

  expectAccess(
    {
      name: 'ctr',
      login: null,
      push: async (home, to, account) => {
        await importImage(home, of(home), 'own:pushed')
        const push = ['images', 'push', plain, ...shown(account), to, 'own:pushed']
        return await home.attempt('ctr', ...of(home), ...push)
      },
      pull: (home, from, account) => {
        const pull = ['images', 'pull', plain, ...native, ...shown(account), from]
        return home.attempt('ctr', ...of(home), ...pull)
      },
      copy: (home, from, to, account) => {
        const push = ['images', 'push', plain, ...shown(account), to, from]
        return home.attempt('ctr', ...of(home), ...push)
      },
      // It shows the status alone.
      denied: /403 Forbidden/,
      ingested: /403 Forbidden/,
    },
    async () => undefined,
  )
})
