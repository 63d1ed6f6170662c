import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  accounts,
  callers,
  canGuard,
  expectAccess,
  own,
  type Account,
} from '../support/clients-access.ts'
import {
  digestOf,
  indexSchema,
  Layout,
  manifestSchema,
  types,
  type Descriptor,
} from '../support/clients-layout.ts'
import { startTap } from '../support/clients-tap.ts'
import { clientHome, hostOf, said, type Home } from '../support/clients.ts'
import { mebibyte } from '../support/disks.ts'
import { content } from '../support/http-neighbour.ts'
import { blobSizes } from '../support/leftovers.ts'
import { needs } from '../support/programs.ts'
import { startService, type Service } from '../support/service.ts'
import { certify } from '../unit/source/certificates.ts'

const able = [
  needs('skopeo', 'apt-get install skopeo'),
  needs('openssl', 'apt-get install openssl'),
  canGuard(),
].every(Boolean)

const tagsSchema = z.object({ Tags: z.array(z.string()) })
const inspectSchema = z.object({ Digest: z.string(), RepoTags: z.array(z.string()) })

describe.skipIf(!able)('skopeo', () => {
  const resources = new AsyncDisposableStack()
  let service: Service
  let home: Home
  let layout: Layout
  let image: Descriptor
  let index: Descriptor
  let large: Descriptor
  const remote = (name: string) => `docker://${hostOf(service.base)}/${name}`

  beforeAll(async () => {
    home = resources.use(await clientHome())
    service = resources.use(await startService())
    layout = await Layout.begin(home.at('layout'))
    image = await layout.image({ 'etc/hostname': 'slipway\n', noise: content(3 * mebibyte) })
    const arm = await layout.image({ 'etc/hostname': 'arm\n' }, { architecture: 'arm64' })
    index = await layout.index({ amd64: image, arm64: arm })
    large = await layout.image({ disk: content(110 * mebibyte, 0, 7) }, { plain: true })
    await layout.finish({ one: image, both: index, large })
  })
  afterAll(() => resources.disposeAsync())

  const copy = async (from: string, to: string, ...more: readonly string[]) =>
    await copyWith(home, from, to, ...more)

  async function raw(reference: string): Promise<Buffer> {
    return Buffer.from(await home.run('skopeo', 'inspect', '--raw', insecure, reference))
  }

  async function tags(repository: string): Promise<readonly string[]> {
    const told = await home.run('skopeo', 'list-tags', insecure, remote(repository))
    return tagsSchema.parse(JSON.parse(told)).Tags
  }

  async function expectSame(folder: string, { digest }: Descriptor): Promise<void> {
    const manifest = await readFile(home.at(`${folder}/manifest.json`))
    expect(digestOf(manifest)).toBe(digest)
    const { config, layers } = manifestSchema.parse(JSON.parse(manifest.toString()))
    for (const { digest: part } of [config, ...layers]) {
      const bytes = await readFile(home.at(`${folder}/${part.slice('sha256:'.length)}`))
      expect(bytes.equals(await layout.bytes(part))).toBe(true)
    }
  }

  test('copies an image in and out byte for byte', async () => {
    await copy('oci:layout:one', remote('demo/one:1'))
    expect((await raw(remote('demo/one:1'))).equals(await layout.bytes(image.digest))).toBe(true)
    await copy(remote('demo/one:1'), 'dir:one')
    await expectSame('one', image)
    await copy(remote(`demo/one@${image.digest}`), 'dir:by-digest')
    await expectSame('by-digest', image)
  })

  test('copies a layer of more than 100 MiB as it is', async () => {
    await copy('oci:layout:large', remote('demo/large:1'), '--preserve-digests')
    expect((await blobSizes(service.folder)).at(-1)).toBeGreaterThan(110 * mebibyte)
    await copy(remote('demo/large:1'), 'dir:large')
    await expectSame('large', large)
  })

  test("copies in docker's format", async () => {
    await copy('oci:layout:one', remote('demo/docker:1'), '--format', 'v2s2')
    const stored = await raw(remote('demo/docker:1'))
    const { mediaType, layers } = manifestSchema.parse(JSON.parse(stored.toString()))
    expect(mediaType).toBe(types.dockerManifest)
    expect(layers[0]?.mediaType).toBe('application/vnd.docker.image.rootfs.diff.tar.gzip')
    await copy(remote('demo/docker:1'), 'dir:docker')
    expect(await readFile(home.at('docker/manifest.json'))).toEqual(stored)
  })

  test('copies an index with all its images, in both formats', async () => {
    await copy('oci:layout:both', remote('demo/both:1'), '--all')
    expect((await raw(remote('demo/both:1'))).equals(await layout.bytes(index.digest))).toBe(true)
    await copy(remote('demo/both:1'), 'oci:both:1', '--all')
    expect(digestOf(await readFile(home.at(`both/blobs/sha256/${index.digest.slice(7)}`)))).toBe(
      index.digest,
    )
    await copy(remote('demo/both:1'), remote('demo/list:1'), '--all', '--format', 'v2s2')
    const list = indexSchema.parse(JSON.parse((await raw(remote('demo/list:1'))).toString()))
    expect(list.mediaType).toBe(types.dockerIndex)
    expect(list.manifests.map(({ mediaType }) => mediaType)).toEqual(
      Array.from({ length: 2 }, () => types.dockerManifest),
    )
  })

  test('is told which images of an index are missing', async () => {
    const ended = await attemptCopy(
      home,
      'oci:layout:both',
      remote('demo/sparse:1'),
      '--multi-arch',
      'index-only',
    )
    expect(said(ended)).toContain(
      `manifest blob unknown: the repository does not have ${image.digest}`,
    )
  })

  test('lists tags, inspects, and deletes', async () => {
    for (const tag of ['1', '2']) await copy('oci:layout:one', remote(`demo/tags:${tag}`))
    await copy('oci:layout:both', remote('demo/tags:both'), '--all')
    expect(await tags('demo/tags')).toEqual(['1', '2', 'both'])
    const told = await home.run('skopeo', 'inspect', insecure, remote('demo/tags:1'))
    expect(inspectSchema.parse(JSON.parse(told))).toEqual({
      Digest: image.digest,
      RepoTags: ['1', '2', 'both'],
    })
    await home.run('skopeo', 'delete', insecure, remote('demo/tags:both'))
    expect(await tags('demo/tags')).toEqual(['1', '2'])
    // It deletes by digest, which takes all tags of the manifest along.
    await home.run('skopeo', 'delete', insecure, remote('demo/tags:1'))
    expect(await tags('demo/tags')).toEqual([])
  })

  test('sends no byte of a layer into a second repository', async () => {
    await using tap = await startTap(service.base)
    const tapped = (name: string) => `docker://${hostOf(tap.base)}/${name}`
    await copy('oci:layout:one', tapped('mount/first:1'))
    const sentFirst = tap.overheard.reduce((sum, { sent }) => sum + sent, 0)
    expect(sentFirst).toBeGreaterThan(3 * mebibyte)
    const before = tap.overheard.length
    await copy('oci:layout:one', tapped('mount/second:1'))
    const later = tap.overheard.slice(before)
    const mounts = later.filter(({ path }) => path.includes('mount='))
    expect(mounts.map(({ status }) => status)).toContain(201)
    // The configuration is sent again.
    expect(later.reduce((sum, { sent }) => sum + sent, 0)).toBeLessThan(2048)
    await copy(remote('mount/second:1'), 'dir:second')
    await expectSame('second', image)
  })

  test("shows the service's own words", async () => {
    const missing = await home.attempt('skopeo', 'inspect', insecure, remote('demo/one:missing'))
    expect(said(missing)).toContain('manifest unknown: the repository')
    const refused = await attemptCopy(home, 'oci:layout:one', remote('cvi/one:1'))
    expect(said(refused)).toContain('denied: repositories under cvi/ are written by ingestion')
  })

  test('copies over HTTPS with the authority it is given, and not without', async () => {
    const { ca, cert, key } = await certify('IP:127.0.0.1')
    await mkdir(home.at('trusted'))
    await writeFile(home.at('trusted/ca.crt'), ca)
    await writeFile(home.at('tls.crt'), cert)
    await writeFile(home.at('tls.key'), key)
    const files = { SLIPWAY_TLS_CERT: home.at('tls.crt'), SLIPWAY_TLS_KEY: home.at('tls.key') }
    await using secure = await startService({ ...files, ...(await callers(home)) })
    const creds = `${accounts.editor.name}:${accounts.editor.secret}`
    const there = `docker://${hostOf(secure.base)}/demo/secure:1`
    const run = ['skopeo', '--insecure-policy', 'copy'] as const
    const trust = (side: string) => [`--${side}-cert-dir`, 'trusted', `--${side}-creds`, creds]
    await home.run(...run, ...trust('dest'), 'oci:layout:one', there)
    await home.run(...run, ...trust('src'), there, 'dir:secure')
    await expectSame('secure', image)
    const stranger = await home.attempt(...run, there, 'dir:stranger')
    expect(said(stranger)).toContain('certificate signed by unknown authority')
  })
})

const insecure = '--tls-verify=false'

const attemptCopy = async (home: Home, from: string, to: string, ...more: readonly string[]) =>
  await home.attempt('skopeo', ...copyArguments(from, to, more))

async function copyWith(home: Home, from: string, to: string, ...more: readonly string[]) {
  await home.run('skopeo', ...copyArguments(from, to, more))
}

function copyArguments(from: string, to: string, more: readonly string[]): readonly string[] {
  const plain = ['--src-tls-verify=false', '--dest-tls-verify=false']
  return ['--insecure-policy', 'copy', ...plain, ...more, from, to]
}

describe.skipIf(!able)('credentials', () => {
  expectAccess(
    {
      name: 'skopeo',
      login: (home, host, { name, secret }: Account) =>
        home.attempt('skopeo', 'login', insecure, '-u', name, '-p', secret, host),
      push: (home, to) => attemptCopy(home, 'oci:layout:1', `docker://${to}`),
      pull: (home, from) => attemptCopy(home, `docker://${from}`, 'dir:pulled'),
      copy: (home, from, to) => attemptCopy(home, `docker://${from}`, `docker://${to}`),
      denied: /denied: .*may not push/,
      ingested: /denied: repositories under cvi\/ are written by ingestion/,
    },
    async (home) => {
      const layout = await Layout.begin(home.at('layout'))
      await layout.finish({ 1: await layout.image(own) })
    },
  )
})
