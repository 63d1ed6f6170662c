import { expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { mediaTypes } from '../../src/image/media-type.ts'
import {
  described,
  document,
  fresh,
  imageOf,
  indexOf,
  prepareImage,
  pushImage,
} from '../support/conformance-documents.ts'
import { expected, sharing, type Registry } from '../support/conformance-registry.ts'

const at = sharing()

const empty = { mediaType: 'application/vnd.oci.empty.v1+json', bytes: Buffer.from('{}') }
const thing = 'application/vnd.example.thing.v1'

type Made = { readonly bytes: Buffer; readonly type?: 'image' | 'index' }
type DataSet = (registry: Registry, repository: string) => Promise<Made>

async function blob(registry: Registry, repository: string, bytes: Buffer, mediaType?: string) {
  await registry.push(repository, bytes)
  return described(bytes, mediaType)
}

/** Everything that clients are known to keep in a registry. Each is pushed, found, pulled and deleted. */
const sets: { readonly [name: string]: DataSet } = {
  'an image': (registry, repository) => prepareImage(registry, repository),
  'an image of no layers': async (registry, repository) => {
    const config = await blob(registry, repository, document({ rootfs: {} }), mediaTypes.config)
    return { bytes: imageOf(config, []) }
  },
  'an image whose layer is its configuration': async (registry, repository) => {
    const both = await blob(registry, repository, empty.bytes, empty.mediaType)
    return { bytes: imageOf(both, [both, both], { artifactType: thing }) }
  },
  'an artifact': async (registry, repository) => {
    const config = await blob(registry, repository, empty.bytes, empty.mediaType)
    const layer = await blob(registry, repository, fresh(2048), thing)
    return { bytes: imageOf(config, [layer], { artifactType: thing }) }
  },
  'an image with embedded data': async (registry, repository) => {
    const text = document({ os: 'linux' })
    const config = await blob(registry, repository, text, mediaTypes.config)
    const data = { ...config, data: text.toString('base64') }
    return { bytes: imageOf(data, []) }
  },
  'an image with unknown fields': async (registry, repository) =>
    await prepareImage(registry, repository, { 'org.example.field': { deep: [1, null] } }),
  'an image with layers that may not be distributed': async (registry, repository) => {
    const { config, layers } = await prepareImage(registry, repository)
    const types = ['nondistributable.v1.tar', 'nondistributable.v1.tar+gzip']
    const foreign = types.map((type) =>
      described(fresh(9), `application/vnd.oci.image.layer.${type}`),
    )
    return { bytes: imageOf(config, [...layers, ...foreign]) }
  },
  'an image with a layer that lies elsewhere': async (registry, repository) => {
    const { config, layers } = await prepareImage(registry, repository)
    const elsewhere = { ...described(fresh(9)), urls: ['https://example.com/layer'] }
    return { bytes: imageOf(config, [...layers, elsewhere]) }
  },
  'an image of more layers than a statement has parameters': async (registry, repository) => {
    const { config, layers } = await prepareImage(registry, repository)
    return { bytes: imageOf(config, Array.from({ length: 2000 }, () => layers).flat()) }
  },
  'an index': async (registry, repository) => {
    const [amd64, arm64] = [
      await pushImage(registry, repository),
      await pushImage(registry, repository),
    ]
    const platforms = [
      { ...amd64.described, platform: { os: 'linux', architecture: 'amd64' } },
      { ...arm64.described, platform: { os: 'linux', architecture: 'arm64' } },
    ]
    return { bytes: indexOf(platforms), type: 'index' }
  },
  'an empty index': async () => ({ bytes: indexOf([]), type: 'index' }),
  'an index of indexes': async (registry, repository) => {
    const { described: child } = await pushImage(registry, repository)
    const inner = indexOf([child])
    await registry.putWhole(repository, inner, { type: 'index' })
    return { bytes: indexOf([described(inner, mediaTypes.index)]), type: 'index' }
  },
  'an index of artifacts with a type of its own': async (registry, repository) => {
    const { described: child } = await pushImage(registry, repository, { artifactType: thing })
    return { bytes: indexOf([child], { artifactType: thing }), type: 'index' }
  },
  'an index of blobs, as build caches are': async (registry, repository) => {
    const layer = await blob(registry, repository, fresh(50))
    return { bytes: indexOf([layer]), type: 'index' }
  },
}

test.each(Object.entries(sets))('%s is taken, found, handed out and deleted', async (_, make) => {
  const { registry } = at
  const repository = registry.repository()
  const { bytes, type = 'image' } = await make(registry, repository)
  const digest = digestOf(bytes)
  await registry.putWhole(repository, bytes, { type })
  await registry.putWhole(repository, bytes, { type, tag: 'set' })
  expect(await registry.pages(`/v2/${repository}/tags/list`)).toEqual([['set']])
  for (const reference of ['set', digest]) {
    const reply = expected(await registry.get(`/v2/${repository}/manifests/${reference}`), 200)
    expect(reply.bytes.equals(bytes)).toBe(true)
    expect(reply.header('docker-content-digest')).toBe(digest)
    expect(reply.header('content-type')).toBe(
      type === 'image' ? mediaTypes.manifest : mediaTypes.index,
    )
  }
  expected(await registry.delete(`/v2/${repository}/manifests/set`), 202)
  expect((await registry.head(`/v2/${repository}/manifests/set`)).status).toBe(404)
  expected(await registry.delete(`/v2/${repository}/manifests/${digest}`), 202)
  expect((await registry.head(`/v2/${repository}/manifests/${digest}`)).status).toBe(404)
})

test('what is deprecated is taken with a warning', async () => {
  const { registry } = at
  const repository = registry.repository()
  const { config } = await prepareImage(registry, repository)
  const type = 'application/vnd.oci.image.layer.nondistributable.v1.tar'
  const bytes = imageOf(config, [described(fresh(5), type), described(fresh(6), type)])
  const reply = expected(await registry.put(repository, 'old', bytes), 201)
  expect(reply.header('warning')).toBe(`299 - "${type} is deprecated"`)
})

test('the tag that stands in for a list of referrers is taken with a warning', async () => {
  const { registry } = at
  const repository = registry.repository()
  const { digest } = await pushImage(registry, repository)
  const tag = digest.replace(':', '-')
  const reply = expected(await registry.put(repository, tag, indexOf([]), mediaTypes.index), 201)
  expect(reply.header('warning')).toMatch(/^299 - "[ !#-[\]-~]+"$/)
  const other = expected(
    await registry.put(repository, 'usual', indexOf([]), mediaTypes.index),
    201,
  )
  expect(other.header('warning')).toBeNull()
})
