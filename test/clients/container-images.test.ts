import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startPeer } from '../support/clients-daemon.ts'
import { digestOf, types } from '../support/clients-layout.ts'
import { clientHome, hostOf, type Home } from '../support/clients.ts'
import {
  builtByBuildah,
  builtForPlatforms,
  canMakeImages,
  compressedAs,
  madeByUmoci,
  push,
  pushedByOras,
  saved,
  type LocalImage,
} from '../support/container-images.ts'
import { disk } from '../support/disks.ts'
import { arrangements, layered } from '../support/layer-arrangements.ts'
import { needs } from '../support/programs.ts'

const able = [needs('docker-registry', 'apt-get install docker-registry'), canMakeImages()].every(
  Boolean,
)

const bytes = disk(300 * 1024)
const older = disk(200 * 1024, 1)
const ways = arrangements(bytes, older)

describe.skipIf(!able)('an image that a test makes is at a registry', () => {
  const resources = new AsyncDisposableStack()
  let home: Home
  let host: string
  let files: { readonly 'x.img': string }

  beforeAll(async () => {
    home = resources.use(await clientHome())
    host = hostOf(resources.use(await startPeer(home)).base)
    files = { 'x.img': home.at('x.img') }
    await writeFile(home.at('x.img'), bytes)
    await writeFile(home.at('old.img'), older)
    await writeFile(home.at('README.md'), '# A disk\n')
  })
  afterAll(() => resources.disposeAsync())

  const at = (name: string) => `${host}/${name.replaceAll(/\W+/g, '-')}:1`

  async function skopeo(...args: readonly string[]): Promise<string> {
    return await home.run('skopeo', '--insecure-policy', ...args)
  }

  const inspect = ['inspect', '--tls-verify=false']

  async function manifest(reference: string) {
    return JSON.parse(await skopeo(...inspect, '--raw', `docker://${reference}`))
  }

  /** What skopeo makes of the image. */
  async function inspected(reference: string, platform: readonly string[] = []) {
    return JSON.parse(await skopeo(...platform, ...inspect, `docker://${reference}`))
  }

  const typesOf = (layers: readonly { mediaType: string }[]) =>
    layers.map(({ mediaType }) => mediaType)

  /** The digest of the disk as a program finds it that unpacks all layers; null where there is none. */
  async function diskIn(
    reference: string,
    path = 'disk/x.img',
    platform: readonly string[] = [],
  ): Promise<string | null> {
    const at = await mkdtemp(home.at('unpacked-'))
    const copy = ['copy', '--quiet', '--src-tls-verify=false', '--dest-decompress']
    await skopeo(...platform, ...copy, `docker://${reference}`, `dir:${at}/plain`)
    await skopeo('copy', '--quiet', `dir:${at}/plain`, `oci:${at}/layout:1`)
    await home.run('umoci', 'unpack', '--rootless', '--image', `${at}/layout:1`, `${at}/bundle`)
    const root = join(at, 'bundle', 'rootfs')
    const found = await readdir(root, { recursive: true })
    return found.includes(path) ? digestOf(await readFile(join(root, path))) : null
  }

  async function expectDisk(image: LocalImage, name: string, layer: string, docker = false) {
    const digest = await push(home, image, at(name), docker ? 'docker' : 'as it is')
    expect(typesOf((await manifest(at(name))).layers)).toEqual([layer])
    const machine = { Architecture: 'amd64', Os: 'linux' }
    expect(await inspected(at(name))).toMatchObject({ ...machine, Digest: digest })
    expect(await diskIn(at(name))).toBe(digestOf(bytes))
  }

  const gzip = `${types.layer}+gzip`
  const dockerGzip = 'application/vnd.docker.image.rootfs.diff.tar.gzip'

  test('built by buildah from the Dockerfile of the guide', async () => {
    await expectDisk(await builtByBuildah(home, files), 'buildah', gzip)
  })

  test('made by umoci', async () => {
    await expectDisk(await madeByUmoci(home, [files['x.img'], '/disk/x.img']), 'umoci', gzip)
  })

  test.each([
    ['plain', types.layer],
    ['gzip', gzip],
    ['zstd', `${types.layer}+zstd`],
  ] as const)('with its layer in another compression: %s', async (compression, layer) => {
    const built = await builtByBuildah(home, files)
    await expectDisk(await compressedAs(home, built, compression), compression, layer)
  })

  test("in docker's format", async () => {
    await expectDisk(await builtByBuildah(home, files), 'docker', dockerGzip, true)
    expect((await manifest(at('docker'))).mediaType).toBe(types.dockerManifest)
  })

  test('as docker saves it', async () => {
    await expectDisk(await saved(home, await builtByBuildah(home, files)), 'saved', dockerGzip)
  })

  test('by buildah with a layer for each COPY', async () => {
    const dockerfile = ['FROM scratch', 'COPY old.img /disk/x.img', 'COPY x.img /disk/x.img']
    const both = { ...files, 'old.img': home.at('old.img') }
    await push(home, await builtByBuildah(home, both, dockerfile), at('copies'))
    expect((await manifest(at('copies'))).layers).toHaveLength(2)
    expect(await diskIn(at('copies'))).toBe(digestOf(bytes))
  })

  test('by umoci without the disk that it took away again', async () => {
    const inserts = [
      [files['x.img'], '/disk/x.img'],
      ['--whiteout', '/disk/x.img'],
    ]
    await push(home, await madeByUmoci(home, ...inserts), at('taken'))
    expect((await manifest(at('taken'))).layers).toHaveLength(2)
    expect(await diskIn(at('taken'))).toBeNull()
  })

  test.each(['as it is', 'docker'] as const)('for three platforms, %s', async (format) => {
    const disks = { arm64: home.at('old.img'), riscv64: home.at('old.img'), amd64: files['x.img'] }
    const to = at(`platforms ${format}`)
    const digest = await push(home, await builtForPlatforms(home, disks), to, format)
    const index = await manifest(to)
    expect(index.mediaType).toBe(format === 'docker' ? types.dockerIndex : types.index)
    expect(index.manifests).toHaveLength(3)
    for (const [architecture, expected] of Object.entries({ amd64: bytes, riscv64: older })) {
      const platform = ['--override-arch', architecture]
      const seen = await inspected(to, platform)
      expect(seen).toMatchObject({ Architecture: architecture, Digest: digest })
      expect(await diskIn(to, 'disk/x.img', platform)).toBe(digestOf(expected))
    }
  })

  test.each(Object.entries(ways))('with its disk %s', async (what, { layers, disk }) => {
    const to = at(`layers ${what}`)
    await push(home, await layered(home, layers), to)
    expect((await inspected(to)).Layers).toHaveLength(layers.length)
    const expected = disk === null ? null : digestOf(bytes)
    expect(await diskIn(to, disk ?? 'disk/x.img')).toBe(expected)
  })

  test('with a label that lies about the compression', async () => {
    const layers = [[{ name: 'disk/x.img', bytes }]]
    const image = await layered(home, layers, { compression: 'zstd', label: 'gzip' })
    await push(home, image, at('label'))
    expect(typesOf((await manifest(at('label'))).layers)).toEqual([gzip])
  })

  const any = 'application/octet-stream'
  test.each([
    ['of no type', ['x.img'], [types.layer]],
    ['of a type', ['x.img:application/x-qemu-disk'], ['application/x-qemu-disk']],
    ['beside a text', [`x.img:${any}`, 'README.md:text/plain'], [any, 'text/plain']],
  ])('an artifact by oras, %s', async (what, files, expected) => {
    const artifactType = 'application/vnd.example.disk'
    const to = at(`oras ${what}`)
    await pushedByOras(home, to, files, ['--artifact-type', artifactType])
    const { layers, ...manifested } = await manifest(to)
    expect(manifested).toMatchObject({ artifactType })
    expect(typesOf(layers)).toEqual(expected)
    expect(layers[0]).toMatchObject({
      digest: digestOf(bytes),
      annotations: { 'org.opencontainers.image.title': 'x.img' },
    })
  })

  test('a folder that oras packed', async () => {
    await mkdir(home.at('disk'))
    await writeFile(home.at('disk/x.img'), bytes)
    await pushedByOras(home, at('folder'), ['disk'])
    const { layers } = await manifest(at('folder'))
    expect(typesOf(layers)).toEqual([gzip])
    expect(layers[0].annotations).toMatchObject({ 'io.deis.oras.content.unpack': 'true' })
  })
})
