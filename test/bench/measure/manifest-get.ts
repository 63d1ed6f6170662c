import { createHash, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bench, Contender, Measurement } from '../bench.ts'
import { assertDigest } from '../client.ts'
import { load } from '../load.ts'
import { twoCores } from '../machine.ts'
import { nginx, startNginx } from '../peers/nginx.ts'
import { rivals, startRegistries, type Registry } from '../peers/registries.ts'
import { taskset, wrk } from '../programs.ts'
import { pushBytes, putManifest } from '../registry-client.ts'

/** What nodes ask for all day long: one small manifest. The server has one core, its clients another one. */
export const manifestGet: readonly Measurement[] = [
  asking('digest', 1),
  asking('digest', 32),
  asking('tag', 1),
  asking('tag', 32),
]

const repository = 'bench/manifests'
const tag = 'latest'
/** Of one step, and of what is asked before so that nobody begins cold. */
const seconds = 5
const warmUp = 2

const mediaType = 'application/vnd.oci.image.manifest.v1+json'
/** As containerd asks. */
const accept = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  mediaType,
  'application/vnd.oci.image.index.v1+json',
  '*/*',
].join(', ')

type By = 'digest' | 'tag'

function asking(by: By, connections: number): Measurement {
  const name = `manifest-${by}-${connections}`
  return {
    name,
    group: 'manifest-get',
    title: `GET of a manifest by ${by}, ${connections === 1 ? 'one connection' : `${connections} connections`}`,
    unit: 'requests',
    needs: [wrk, taskset],
    targets: [{ beside: rivals, atLeast: 1 }],
    async open(bench, resources) {
      const image = makeImage()
      const cores = twoCores()
      const ask = { by, connections, from: cores.clients }
      const where = { prefix: name, core: cores.server }
      const contenders: Contender[] = []
      for (const registry of await startRegistries(where, bench, resources)) {
        await pushImage(registry, image, bench)
        const reference = by === 'tag' ? tag : digestOf(image.manifest)
        const url = `${registry.base}/v2/${repository}/manifests/${reference}`
        contenders.push(at(registry, url, image, ask, bench))
      }
      const limit = await bench.unlessMissing([nginx], () =>
        fromNginx(name, image, { ...ask, core: cores.server }, bench, resources),
      )
      return { bytes: 0, contenders: [...contenders, limit] }
    },
  }
}

type Image = { readonly blobs: readonly Buffer[]; readonly manifest: Buffer }

/** A usual one: a configuration and eight layers. */
function makeImage(): Image {
  const config = Buffer.from('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers"}}')
  const layers = Array.from({ length: 8 }, () => randomBytes(1024))
  const described = (bytes: Buffer, type: string) => ({
    mediaType: `application/vnd.oci.image.${type}`,
    digest: digestOf(bytes),
    size: bytes.length,
  })
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType,
    config: described(config, 'config.v1+json'),
    layers: layers.map((layer) => described(layer, 'layer.v1.tar+gzip')),
  })
  return { blobs: [config, ...layers], manifest: Buffer.from(manifest) }
}

async function pushImage({ base }: Registry, { blobs, manifest }: Image, bench: Bench) {
  for (const bytes of blobs) {
    await pushBytes(base, repository, { digest: digestOf(bytes), bytes }, bench)
  }
  await putManifest(base, repository, tag, { bytes: manifest, mediaType }, bench)
}

/** What a server without anything to look up does with the same bytes. */
async function fromNginx(
  name: string,
  image: Image,
  ask: Ask & { readonly core: number },
  bench: Bench,
  resources: AsyncDisposableStack,
): Promise<Contender> {
  const folder = join(bench.folder, `${name}-nginx`)
  const root = join(folder, 'files')
  await mkdir(root, { recursive: true })
  await writeFile(join(root, 'manifest'), image.manifest)
  const server = await startNginx(folder, root, bench, resources, { core: ask.core })
  return at({ name: nginx.name, pid: server.pid }, server.url('manifest'), image, ask, bench)
}

type Ask = { readonly connections: number; readonly from: number }

function at(
  { name, pid }: Pick<Registry, 'name' | 'pid'>,
  url: string,
  { manifest }: Image,
  { connections, from }: Ask,
  bench: Bench,
): Contender {
  const asked = { connections, core: from, headers: [`Accept: ${accept}`] }
  const expected = createHash('sha256').update(manifest).digest('hex')
  return {
    name,
    pid,
    begin: async () => {
      await load(url, { ...asked, seconds: warmUp }, bench)
      return {
        run: () => load(url, { ...asked, seconds }, bench),
        end: () => assertDigest(url, expected, bench, { accept }),
      }
    },
  }
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
