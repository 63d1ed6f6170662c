import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { hexOf, parseDigest } from '../../src/image/digest.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { expectOnly } from '../support/leftovers.ts'
import {
  answer,
  everythingOf,
  loseCatalog,
  rebuild,
  rowsOf,
  slipway,
} from '../support/lost-catalog.ts'
import { imageManifest, indexManifest } from '../support/push-content.ts'
import { expectStatus, RegistryClient, type Bytes } from '../support/registry-client.ts'
import { readiness, send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

const host = { SLIPWAY_REGISTRY_HOST: 'registry.example' }
const bytes = disk(mebibyte)

async function push(client: RegistryClient, repository: string, reference: string, more = {}) {
  const config: Bytes = Buffer.from('{}')
  const layer: Bytes = Buffer.from(`a layer of ${repository}`)
  const parts = [config, layer].map(async (part) => ({
    digest: await client.push(repository, part),
    size: part.length,
  }))
  const [first, second] = await Promise.all(parts)
  if (!first || !second) throw new Error('two parts were pushed')
  const manifest = imageManifest(first, [second], more)
  const put = await client.putManifest(repository, { ...manifest, reference })
  await expectStatus(put, 201)
  const digest = put.headers.get('docker-content-digest') ?? ''
  return { digest, size: manifest.bytes.length, mediaType: manifest.mediaType }
}

/** A repository with a tag, an index, and a referrer that has annotations and no tag. */
async function pushSome(service: Service): Promise<readonly string[]> {
  const client = new RegistryClient(() => service.base)
  const image = await push(client, 'team/app', '1')
  const index = indexManifest([image])
  await expectStatus(await client.putManifest('team/app', { ...index, reference: 'all' }), 201)
  const signature = imageManifest(
    { digest: await client.push('team/app', Buffer.from('{}')), size: 2 },
    [],
    { subject: image, artifactType: 'application/x-signature', annotations: { by: 'me' } },
  )
  const { createHash } = await import('node:crypto')
  const reference = `sha512:${createHash('sha512').update(signature.bytes).digest('hex')}`
  await expectStatus(await client.putManifest('team/app', { ...signature, reference }), 201)
  return ['manifests/1', 'manifests/all', `manifests/${reference}`, `referrers/${image.digest}`]
}

const found = z.object({
  images: z.number(),
  manifests: z.number(),
  tags: z.number(),
  added: z.record(z.string(), z.number()),
  lost: z.number(),
})

const nothing = { images: 0, manifests: 0, tags: 0, blobs: 0, references: 0 }

test('a catalog that is lost is made again: REST and the registry answer the same', async () => {
  await using neighbour = await startNeighbour()
  await using service = await startService(host)
  const { rest, folder } = service
  const url = `${neighbour.serve('/disk.img', { bytes, etag: '"1"' })}?signature=secret`
  const owned = {
    name: 'by-url',
    dataSource: { type: 'HTTP', http: { url } },
    owner: { uid: 'me' },
  }
  await rest.post(owned)
  await rest.ready('by-url')
  await send(await rest.createUpload('by-upload'), disk(mebibyte, 1))
  await rest.create('by-name', {
    type: 'ObjectRef',
    objectRef: { kind: 'ClusterVirtualImage', name: 'by-url' },
  })
  await rest.ready('by-name')
  const paths = (await pushSome(service)).map((path) => `/v2/team/app/${path}`)
  const answers = () => Promise.all(paths.map((path) => answer(service.base + path)))
  const before = [await everythingOf(service), await answers()]
  await service.stop()
  const rows = rowsOf(folder)
  await loseCatalog(service)
  await expect(service.start()).rejects.toThrow(/does not belong to the images .+slipway rebuild/)

  expect(found.parse(await rebuild(folder))).toMatchObject({
    images: 3,
    manifests: 3,
    tags: 2,
    added: { images: 3, manifests: 6, tags: 5 },
    lost: 0,
  })
  expect(rowsOf(folder)).toEqual({ ...Object(rows), images: expect.anything() })
  const again = rowsOf(folder)
  expect(found.parse(await rebuild(folder)).added).toEqual(nothing)
  expect(rowsOf(folder)).toEqual(again)

  await service.start()
  expect([await everythingOf(service), await answers()]).toEqual(before)
  expect((await rest.post(owned)).status).toBe(200)
  const other = { ...owned, dataSource: { type: 'HTTP', http: { url: `${url}s` } } }
  expect((await rest.post(other)).status).toBe(409)
})

describe('of an image whose bytes are missing', () => {
  test('an ImageLost one is made', async () => {
    await using service = await startService(host)
    const { rest, folder } = service
    await send(await rest.createUpload('whole'), disk(mebibyte, 2))
    await send(await rest.createUpload('lost'), bytes)
    const before = await rest.image('lost')
    await service.stop()
    const layer = await layerOf(folder, 'lost')
    await rm(layer.path)
    await loseCatalog(service)
    expect(found.parse(await rebuild(folder))).toMatchObject({ added: { images: 2 }, lost: 1 })
    await service.start()
    const after = await rest.image('lost')
    expect(after.status.phase).toBe('ImageLost')
    expect(readiness(after).message).toBe(
      `the layer ${layer.digest} is missing from the storage; start the image again, or delete it`,
    )
    expect(after.status.size).toEqual(before.status.size)
    expect((await rest.image('whole')).status.phase).toBe('Ready')
    await rest.delete('lost')
    await expectOnly(folder, ['whole'])
  })
})

const recordSchema = z.looseObject({
  image: z.looseObject({
    status: z.object({ stored: z.object({ layer: z.object({ digest: z.string() }) }) }),
  }),
})

async function readRecord(folder: string, name: string) {
  const path = join(folder, 'repositories', 'cvi', name, '_tags', 'latest')
  return { path, record: recordSchema.parse(JSON.parse(await readFile(path, 'utf8'))) }
}

async function layerOf(folder: string, name: string) {
  const { record } = await readRecord(folder, name)
  const digest = parseDigest(record.image.status.stored.layer.digest)
  const hex = hexOf(digest)
  return { digest, path: join(folder, 'blobs', 'sha256', hex.slice(0, 2), hex) }
}

test('from a record of an earlier version the manifest tells the rest', async () => {
  await using neighbour = await startNeighbour()
  await using service = await startService(host)
  const { rest, folder } = service
  await rest.createFrom('old', neighbour.serve('/disk.img', { bytes, etag: '"1"' }))
  const before = await rest.ready('old')
  await service.stop()
  const { path, record } = await readRecord(folder, 'old')
  const { status, ...image } = record.image
  expect(status).toBeDefined()
  await writeFile(path, JSON.stringify({ ...record, image }))
  await loseCatalog(service)
  await rebuild(folder)
  await service.start()
  const after = await rest.image('old')
  expect({ ...after.status, conditions: [] }).toEqual({ ...before.status, conditions: [] })
  expect({ ...after, status: null }).toEqual({ ...before, status: null })
})

describe('a catalog', () => {
  let service: Service
  beforeAll(async () => {
    service = await startService(host)
    await send(await service.rest.createUpload('image'), bytes)
    await service.stop()
  })
  afterAll(() => service[Symbol.asyncDispose]())

  test('that is no database stops the start with a sentence, and is kept aside', async () => {
    await loseCatalog(service)
    await writeFile(join(service.folder, 'catalog.sqlite'), Buffer.alloc(40_000, 'garbage'))
    const { code, stderr } = await slipway(service.folder, ['serve'])
    expect([code, stderr]).toEqual([
      2,
      `the catalog ${service.folder}/catalog.sqlite is damaged (file is not a database); stop Slipway and run "slipway rebuild", which makes it again from the storage, or put a backup in its place\n`,
    ])
    const rebuilt = await slipway(service.folder, ['rebuild'])
    expect(rebuilt.stderr).toMatch(/is damaged \(.+\); it is kept as .+damaged-.+, and a new one/)
    expect(JSON.parse(rebuilt.stdout)).toMatchObject({ added: { images: 1 } })
    await service.start()
    expect(await service.rest.names()).toEqual(['image'])
    await service.stop()
  })

  test('of another storage is refused, and a rebuild keeps it aside', async () => {
    await using other = await startService()
    await other.rest.createUpload('waiting')
    await other.stop()
    await loseCatalog(service)
    const path = 'catalog.sqlite'
    await writeFile(join(service.folder, path), await readFile(join(other.folder, path)))
    await expect(service.start()).rejects.toThrow('does not belong to the images in')
    const rebuilt = await slipway(service.folder, ['rebuild'])
    expect(rebuilt.stderr).toMatch(/belongs to another storage; it is kept as .+other-/)
    await service.start()
    expect(await service.rest.names()).toEqual(['image'])
  })

  test('is not rebuilt while the service runs', async () => {
    const { code, stderr } = await slipway(service.folder, ['rebuild'])
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/another Slipway is running on .+; stop it first/),
    ])
    await service.stop()
  })

  test('without its storage is refused', async () => {
    await rm(join(service.folder, 'repositories'), { recursive: true })
    await expect(service.start()).rejects.toThrow(/belongs to a storage that is not in .+emptied/)
  })
})
