import { expect, test } from 'vitest'
import { z } from 'zod'
import { digestOf } from '../../src/image/digest.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { answer, everythingOf, loseCatalog, rebuild, rowsOf } from '../support/lost-catalog.ts'
import { imageManifest, indexManifest } from '../support/push-content.ts'
import { expectStatus, RegistryClient, type Bytes } from '../support/registry-client.ts'
import { send } from '../support/rest.ts'
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
  const reference = digestOf(signature.bytes, 'sha512')
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
