import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { startPeer } from '../support/clients-daemon.ts'
import { Layout, type Descriptor } from '../support/clients-layout.ts'
import { clientHome, hostOf, needsTool, tool, type Home } from '../support/clients.ts'
import { mebibyte } from '../support/disks.ts'
import { content } from '../support/http-neighbour.ts'
import { needs } from '../support/programs.ts'
import { get } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

const able = [
  needs('docker-registry', 'apt-get install docker-registry'),
  needs('skopeo', 'apt-get install skopeo'),
  needsTool('crane'),
  needsTool('oras'),
].every(Boolean)

const discoveredSchema = z.object({ referrers: z.array(z.object({ digest: z.string() })) })

describe.skipIf(!able)('images move between docker-registry and the service', () => {
  const resources = new AsyncDisposableStack()
  let service: Service
  let peer: string
  let here: string
  let home: Home
  let image: Descriptor
  let index: Descriptor

  beforeAll(async () => {
    home = resources.use(await clientHome())
    service = resources.use(await startService())
    here = hostOf(service.base)
    peer = hostOf(resources.use(await startPeer(home)).base)
    const layout = await Layout.begin(home.at('layout'))
    image = await layout.image({ noise: content(2 * mebibyte) })
    const arm = await layout.image({ noise: content(mebibyte) }, { architecture: 'arm64' })
    index = await layout.index({ amd64: image, arm64: arm })
    await layout.finish({ one: image, both: index })
    for (const tag of ['one', 'both'])
      await copy(`oci:layout:${tag}`, `docker://${peer}/from:${tag}`)
  })
  afterAll(() => resources.disposeAsync())

  async function copy(from: string, to: string, ...more: readonly string[]): Promise<void> {
    const plain = ['--src-tls-verify=false', '--dest-tls-verify=false']
    await home.run('skopeo', '--insecure-policy', 'copy', '--all', ...plain, ...more, from, to)
  }

  async function digest(host: string, repository: string, tag: string): Promise<string | null> {
    const accept = `${image.mediaType}, ${index.mediaType}, application/vnd.docker.distribution.manifest.v2+json`
    const answer = await get(`http://${host}/v2/${repository}/manifests/${tag}`, { accept })
    return answer.headers.get('docker-content-digest')
  }

  test.each(['one', 'both'])('by skopeo, as they are: %s', async (tag) => {
    const { digest: expected } = tag === 'one' ? image : index
    await copy(`docker://${peer}/from:${tag}`, `docker://${here}/demo/skopeo:${tag}`)
    expect(await digest(here, 'demo/skopeo', tag)).toBe(expected)
    await copy(`docker://${here}/demo/skopeo:${tag}`, `docker://${peer}/to/skopeo:${tag}`)
    expect(await digest(peer, 'to/skopeo', tag)).toBe(expected)
  })

  test("by skopeo, in docker's format", async () => {
    await copy(`docker://${peer}/from:one`, `docker://${peer}/from:docker`, '--format', 'v2s2')
    await copy(`docker://${peer}/from:docker`, `docker://${here}/demo/docker:1`)
    const moved = await digest(here, 'demo/docker', '1')
    expect(moved).not.toBe(image.digest)
    expect(moved).toBe(await digest(peer, 'from', 'docker'))
  })

  test.each(['one', 'both'])('by crane, as they are: %s', async (tag) => {
    const { digest: expected } = tag === 'one' ? image : index
    await home.run(
      tool('crane'),
      '--insecure',
      'cp',
      `${peer}/from:${tag}`,
      `${here}/demo/crane:${tag}`,
    )
    expect(await digest(here, 'demo/crane', tag)).toBe(expected)
    await home.run(tool('crane'), '--insecure', 'validate', '--remote', `${here}/demo/crane:${tag}`)
    await home.run(
      tool('crane'),
      '--insecure',
      'cp',
      `${here}/demo/crane:${tag}`,
      `${peer}/to/crane:${tag}`,
    )
    expect(await digest(peer, 'to/crane', tag)).toBe(expected)
  })

  test('by oras, with what refers to them, whichever way the registry keeps that', async () => {
    const plain = ['--from-plain-http', '--to-plain-http']
    const oras = (...args: readonly string[]) => home.run(tool('oras'), ...args)
    const discovered = async (reference: string) => {
      const told = await oras('discover', '--plain-http', '--format', 'json', reference)
      return discoveredSchema.parse(JSON.parse(told)).referrers.map(({ digest }) => digest)
    }
    await writeFile(home.at('note.txt'), 'a note\n')
    const type = ['--artifact-type', 'application/vnd.example.note']
    await oras('attach', '--plain-http', ...type, `${peer}/from:one`, 'note.txt:text/plain')
    await oras('cp', '-r', ...plain, `${peer}/from:one`, `${here}/demo/oras:1`)
    expect(await digest(here, 'demo/oras', '1')).toBe(image.digest)
    const notes = await discovered(`${peer}/from:one`)
    expect(notes).toHaveLength(1)
    expect(await discovered(`${here}/demo/oras:1`)).toEqual(notes)
    expect(await oras('repo', 'tags', '--plain-http', `${here}/demo/oras`)).toBe('1\n')
    await oras('cp', '-r', ...plain, `${here}/demo/oras:1`, `${peer}/to/oras:1`)
    expect(await discovered(`${peer}/to/oras:1`)).toEqual(notes)
  })
})
