import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canGuard, expectAccess } from '../support/clients-access.ts'
import { digestOf, indexSchema, manifestSchema, tarball, types } from '../support/clients-layout.ts'
import { clientHome, hostOf, needsRoot, said, type Home } from '../support/clients.ts'
import { mebibyte } from '../support/disks.ts'
import { content } from '../support/http-neighbour.ts'
import { needs } from '../support/programs.ts'
import { get } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import type { Ended } from '../support/shell.ts'

const able = [needs('podman', 'apt-get install podman'), needsRoot('podman'), canGuard()].every(
  Boolean,
)

const insecure = '--tls-verify=false'

/** Images, state and locks in the home, and no mounts. */
function place(home: Home): readonly string[] {
  const folders = ['root', 'runroot', 'tmpdir'].flatMap((name) => [`--${name}`, home.at(name)])
  return [...folders, '--storage-driver', 'vfs', '--events-backend', 'file']
}

async function podman(home: Home, ...args: readonly string[]): Promise<string> {
  return await home.run('podman', ...place(home), ...args)
}

async function attempted(home: Home, ...args: readonly string[]): Promise<Ended> {
  return await home.attempt('podman', ...place(home), ...args)
}

async function importImage(home: Home, name: string, size = mebibyte): Promise<void> {
  const files = { 'etc/hostname': name, noise: content(size) }
  await writeFile(home.at('layer.tar'), await tarball(files))
  await podman(home, 'import', '--quiet', 'layer.tar', `localhost/${name}:1`)
}

describe.skipIf(!able)('podman', () => {
  const resources = new AsyncDisposableStack()
  let service: Service
  let home: Home
  const at = (name: string) => `${hostOf(service.base)}/${name}`

  beforeAll(async () => {
    home = resources.use(await clientHome())
    service = resources.use(await startService())
    await importImage(home, 'first', 5 * mebibyte)
  })
  afterAll(() => resources.disposeAsync())

  async function stored(repository: string, reference: string) {
    const answer = await get(`${service.base}/v2/${repository}/manifests/${reference}`)
    expect(answer.status).toBe(200)
    const bytes = Buffer.from(await answer.arrayBuffer())
    return { digest: digestOf(bytes), document: JSON.parse(bytes.toString()) }
  }

  async function push(name: string, ...more: readonly string[]): Promise<string> {
    const digestfile = ['--digestfile', 'digest']
    await podman(home, 'push', insecure, ...digestfile, ...more, 'localhost/first:1', at(name))
    return await readFile(home.at('digest'), 'utf8')
  }

  test('pushes an image and pulls it elsewhere, by tag and by digest', async () => {
    const digest = await push('demo/first:1')
    expect((await stored('demo/first', '1')).digest).toBe(digest)
    await using elsewhere = await clientHome()
    const byTag = await podman(elsewhere, 'pull', '--quiet', insecure, at('demo/first:1'))
    const found = await podman(elsewhere, 'inspect', '--format', '{{.Digest}}', byTag.trim())
    expect(found.trim()).toBe(digest)
    await using again = await clientHome()
    const reference = at(`demo/first@${digest}`)
    const byDigest = await podman(again, 'pull', '--quiet', insecure, reference)
    expect(byDigest).toBe(byTag)
    expect(await podman(home, 'image', 'inspect', '--format', '{{.Id}}', 'first:1')).toBe(byTag)
  })

  test("pushes in docker's format, and with zstd", async () => {
    const digest = await push('demo/docker:1', '--format', 'v2s2')
    const docker = await stored('demo/docker', '1')
    expect(docker.digest).toBe(digest)
    expect(manifestSchema.parse(docker.document).mediaType).toBe(types.dockerManifest)
    await using fresh = await clientHome()
    await importImage(fresh, 'packed')
    const to = at('demo/packed:1')
    const packed = ['--format', 'oci', '--compression-format', 'zstd', 'localhost/packed:1', to]
    await podman(fresh, 'push', insecure, ...packed)
    const { document } = await stored('demo/packed', '1')
    expect(document.layers[0].mediaType).toBe(`${types.layer}+zstd`)
    await using elsewhere = await clientHome()
    await podman(elsewhere, 'pull', '--quiet', insecure, to)
  })

  test('makes a list of images and pushes it with all of them', async () => {
    await push('demo/listed:1')
    await podman(home, 'manifest', 'create', 'list')
    await podman(home, 'manifest', 'add', insecure, 'list', `docker://${at('demo/listed:1')}`)
    await podman(home, 'manifest', 'add', 'list', 'containers-storage:localhost/first:1')
    await podman(
      home,
      'manifest',
      'push',
      '--all',
      insecure,
      'list',
      `docker://${at('demo/all:1')}`,
    )
    const { document } = await stored('demo/all', '1')
    const { mediaType, manifests } = indexSchema.parse(document)
    expect(mediaType).toBe(types.index)
    for (const { digest } of manifests) await stored('demo/all', digest)
    await using elsewhere = await clientHome()
    await podman(elsewhere, 'pull', '--quiet', insecure, at('demo/all:1'))
  })

  test("shows the service's own words", async () => {
    const missing = await attempted(home, 'pull', insecure, at('demo/first:missing'))
    expect(said(missing)).toContain('manifest unknown: the repository')
    const refused = await attempted(home, 'push', insecure, 'localhost/first:1', at('cvi/x:1'))
    expect(said(refused)).toContain('denied: repositories under cvi/ are written by ingestion')
  })
})

describe.skipIf(!able)('credentials', () => {
  expectAccess(
    {
      name: 'podman',
      login: (home, host, { name, secret }) =>
        attempted(home, 'login', insecure, '-u', name, '-p', secret, host),
      push: (home, to) => attempted(home, 'push', insecure, 'localhost/own:1', to),
      pull: (home, from) => attempted(home, 'pull', insecure, from),
      copy: (home, _from, to) => attempted(home, 'push', insecure, 'localhost/own:1', to),
      denied: /denied: .*may not push/,
      ingested: /denied: repositories under cvi\/ are written by ingestion/,
    },
    (home) => importImage(home, 'own'),
  )
})
