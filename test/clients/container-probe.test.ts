import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { probeSchema } from '../../src/serve/api/schema.ts'
import { qcow2 } from '../fixtures/qcow2.ts'
import { startPeer } from '../support/clients-daemon.ts'
import { Layout, manifestSchema, tarball } from '../support/clients-layout.ts'
import { startTap, type Tap } from '../support/clients-tap.ts'
import { clientHome, hostOf, type Home } from '../support/clients.ts'
import { push, type LocalImage } from '../support/container-images.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { layered } from '../support/layer-arrangements.ts'
import { expectNothing, expectOnly } from '../support/leftovers.ts'
import { needs } from '../support/programs.ts'
import { get, send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { attempt } from '../support/shell.ts'

const able = [
  needs('docker-registry', 'apt-get install docker-registry'),
  needs('skopeo', 'apt-get install skopeo'),
].every(Boolean)

const size = 64 * mebibyte
const bytes = disk(size)
const child = qcow2({ backingOffset: 512n, backingLength: 11, length: mebibyte })
const at = (bytes: Buffer, name = 'disk/x.img') => [{ name, bytes }]

describe.skipIf(!able)('what is in a container image is told without importing it', () => {
  const resources = new AsyncDisposableStack()
  let home: Home
  let service: Service
  let tap: Tap
  /** Where an image is for the service, and its digest. */
  const there = new Map<string, { readonly image: string; readonly digest: string }>()

  beforeAll(async () => {
    home = resources.use(await clientHome())
    service = resources.use(await startService())
    const peer = resources.use(await startPeer(home))
    tap = resources.use(await startTap(peer.base))
    const images: { readonly [name: string]: LocalImage } = {
      large: await layered(home, [at(Buffer.from('x'), 'etc/motd'), at(bytes)]),
      child: await layered(home, [at(child)]),
      empty: await layered(home, [at(Buffer.from('x'), 'etc/motd')]),
      two: await layered(home, [[...at(disk(mebibyte)), ...at(child, 'disk/y.img')]]),
      both: await forBoth(),
    }
    for (const [name, local] of Object.entries(images)) {
      const path = `team/${name}:1`
      const digest = await push(home, local, `${hostOf(peer.base)}/${path}`)
      there.set(name, { image: `${hostOf(tap.base)}/${path}`, digest })
    }
  })
  afterAll(() => resources.disposeAsync())

  async function forBoth(): Promise<LocalImage> {
    const layout = await Layout.begin(home.at('both'))
    const of = async (architecture: string) =>
      await layout.layered([await tarball({ 'disk/x.img': child })], { architecture })
    await layout.finish({
      1: await layout.index({ amd64: await of('amd64'), arm64: await of('arm64') }),
    })
    return `oci:${layout.path}:1`
  }

  const known = (name: string) => there.get(name) ?? expect.fail(`${name} is not there`)

  async function probe(image: string, more = {}) {
    const containerImage = { image, ...more }
    const answer = await fetch(`${service.base}/api/v1/probe`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ dataSource: { type: 'ContainerImage', containerImage } }),
      signal: AbortSignal.timeout(30_000),
    })
    expect(answer.status).toBe(200)
    return probeSchema.strict().parse(await answer.json())
  }

  /** Bytes that the registry gave of a blob since this was asked last. */
  function given(digest: string): number {
    const asked = tap.overheard.filter(({ path }) => path.endsWith(digest))
    return asked.reduce((sum, { given }) => sum + given, 0)
  }

  async function manifestOf(image: string) {
    const url = `http://${image.replace('/', '/v2/').replace(/:1$/, '/manifests/1')}`
    const accept = 'application/vnd.oci.image.manifest.v1+json'
    const text = await (await get(url, { accept })).text()
    return { length: text.length, ...manifestSchema.parse(JSON.parse(text)) }
  }

  describe('by a probe', () => {
    test('from the beginning of the layer that holds the disk', async () => {
      const { image, digest } = known('large')
      const { layers, length, mediaType } = await manifestOf(image)
      const found = await probe(image)
      const shown = layers.map((layer) => ({
        digest: layer.digest,
        mediaType: layer.mediaType,
        size: expect.any(String),
        sizeBytes: String(layer.size),
      }))
      expect(found).toEqual({
        accepted: true,
        complete: false,
        format: 'raw',
        cdrom: false,
        bootable: 'yes',
        details: expect.objectContaining({ partitionTable: 'mbr' }),
        wrapping: [],
        size: {
          source: '64Mi',
          sourceBytes: String(size),
          unpacked: '64Mi',
          unpackedBytes: String(size),
        },
        revalidation: 'digest',
        source: { image, digest, platform: 'linux/amd64' },
        image: {
          manifest: { mediaType, digest, size: expect.any(String), sizeBytes: String(length) },
          layers: shown,
          file: 'disk/x.img',
        },
      })
      const [lower, upper] = layers.map((layer) => given(layer.digest))
      expect(lower).toBe(0)
      expect(upper).toBeGreaterThan(2 * mebibyte)
      expect(upper).toBeLessThan(size / 4)
      await expectNothing(service.folder)
    })

    test.each([
      ['child', 'EXTERNAL_REFERENCE', /backing file/],
      ['empty', 'INVALID_OCI', /^no file under \/disk; the image holds etc\/; put the one disk/],
      ['two', 'UNSAFE_ARCHIVE', /two files could be the disk, disk\/x\.img and disk\/y\.img/],
    ] as const)('that is refused: %s', async (name, code, detail) => {
      const found = await probe(known(name).image)
      expect(found).toMatchObject({
        accepted: false,
        refusal: { code, detail: expect.stringMatching(detail) },
      })
      expect(found).not.toHaveProperty('format')
      await expectNothing(service.folder)
    })

    test('for the platform that is asked for, if it is there', async () => {
      const { image, digest } = known('both')
      const found = await probe(image, { platform: 'linux/arm64' })
      expect(found.source).toEqual({ image, digest, platform: 'linux/arm64' })
      expect(found.refusal?.code).toBe('EXTERNAL_REFERENCE')
      expect(await probe(image, { platform: 'linux/s390x' })).toMatchObject({
        accepted: false,
        refusal: {
          code: 'INVALID_OCI',
          detail: 'the image has linux/amd64 and linux/arm64, not linux/s390x',
        },
      })
    })

    test('of this very service', async () => {
      await using own = await startService()
      await send(await own.rest.createUpload('own'), bytes)
      const image = `${hostOf(own.base)}/cvi/own`
      const answer = await fetch(`${own.base}/api/v1/probe`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ dataSource: { type: 'ContainerImage', containerImage: { image } } }),
        signal: AbortSignal.timeout(30_000),
      })
      const { status } = await own.rest.image('own')
      expect(probeSchema.strict().parse(await answer.json())).toMatchObject({
        accepted: true,
        format: 'raw',
        source: { image: `${image}:latest`, digest: status.target.digest },
        image: { layers: [{ sizeBytes: status.size?.storedBytes }], file: 'disk/disk.img' },
      })
      await expectOnly(own.folder, ['own'])
    })
  })

  describe('by slipway inspect', () => {
    const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

    async function inspect(...args: readonly string[]) {
      const env = { PATH: process.env['PATH'], SLIPWAY_SOURCE_ALLOW: '127.0.0.0/8' }
      const ended = await attempt(process.execPath, [main, 'inspect', ...args], { env })
      expect(ended.stderr).toBe('')
      return { code: ended.code, said: ended.stdout }
    }

    test('in JSON', async () => {
      const { image, digest } = known('large')
      const { layers } = await manifestOf(image)
      const layer = layers.at(-1)?.digest ?? ''
      const before = given(layer)
      const { code, said } = await inspect(`docker://${image}`)
      expect(code).toBe(0)
      expect(JSON.parse(said)).toMatchObject({
        format: 'raw',
        unpackedBytes: String(size),
        details: { partitionTable: 'mbr' },
        image,
        digest,
        platform: 'linux/amd64',
        file: expect.stringMatching(/^disk\//),
        manifest: { mediaType: expect.stringMatching(/manifest/) },
        layers: layers.map((each) => ({ digest: each.digest, size: each.size })),
        complete: false,
      })
      // Of a disk of 64 MiB its head is enough.
      expect(given(layer) - before).toBeLessThan(size / 4)
    })

    test('for another platform, and with credentials that a login has written', async () => {
      const authfile = home.at('login.json')
      await writeFile(authfile, JSON.stringify({ auths: {} }))
      const reference = `docker://${known('large').image}`
      const options = ['--platform', 'linux/s390x', '--authfile', authfile]
      const { code, said } = await inspect(reference, ...options)
      expect({ code, said: JSON.parse(said) }).toMatchObject({
        code: 1,
        said: { refused: { code: 'INVALID_OCI', message: /not linux\/s390x/ } },
      })
    })

    test('in a table', async () => {
      const reference = `docker://${known('large').image}`
      const { code, said } = await inspect(reference, '--output', 'table')
      expect(code).toBe(0)
      expect(said).toMatch(/^format {10}raw$/m)
      expect(said).toMatch(/^unpacked {8}64Mi \(67108864 bytes\)$/m)
      expect(said).toMatch(/^partitionTable {2}mbr$/m)
    })

    test.each([
      ['child', 'EXTERNAL_REFERENCE'],
      ['empty', 'INVALID_OCI'],
      ['two', 'UNSAFE_ARCHIVE'],
    ])('with exit code 1 when it is refused: %s', async (name, expected) => {
      const reference = `docker://${known(name).image}`
      const { code, said } = await inspect(reference)
      expect(code).toBe(1)
      const { refused } = JSON.parse(said)
      expect(refused).toMatchObject({ code: expected })
      const table = await inspect(reference, '--output', 'table')
      expect(table).toEqual({ code: 1, said: `refused (${expected}): ${refused.message}\n` })
    })

    test('with exit code 1 when it is not there, and 2 when it is no reference', async () => {
      const missing = `${hostOf(tap.base)}/team/missing:1`
      expect(await inspect(`docker://${missing}`, '--output', 'table')).toEqual({
        code: 1,
        said: `refused (SOURCE_REFUSED): the registry has no such image as ${missing}; check repository and tag\n`,
      })
      const misspelled = await attempt(process.execPath, [main, 'inspect', 'docker://Not/A:?'])
      expect(misspelled).toMatchObject({ code: 2, stdout: '' })
      expect(misspelled.stderr).toMatch(/^containerImage\.image has a tag that is none; /)
    })
  })
})
