import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { imageOf, pushImage } from '../support/conformance-documents.ts'
import { expectRefusal } from '../support/conformance-refusal.ts'
import { contentHeaders, expected, serving } from '../support/conformance-registry.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { send } from '../support/rest.ts'

const at = serving()

const descriptor = z.looseObject({ digest: z.string(), size: z.int() })
const manifestSchema = z.looseObject({ config: descriptor, layers: z.array(descriptor) })

let manifest: { readonly bytes: Buffer; readonly digest: string }
let blobs: readonly z.output<typeof descriptor>[]

beforeAll(async () => {
  const { service, registry } = at
  expect((await send(await service.rest.createUpload('disk'), disk(mebibyte))).status).toBe(201)
  await service.rest.ready('disk')
  const reply = expected(await registry.get('/v2/cvi/disk/manifests/latest'), 200)
  manifest = { bytes: reply.bytes, digest: reply.header('docker-content-digest') ?? '' }
  const { config, layers } = manifestSchema.parse(reply.json())
  blobs = [config, ...layers]
})

describe('an image that was ingested', { concurrent: false }, () => {
  test('is pulled like any other', async () => {
    const { registry } = at
    const path = `/v2/cvi/disk/manifests/${manifest.digest}`
    expect((await registry.get(path)).bytes.equals(manifest.bytes)).toBe(true)
    expect(contentHeaders(await registry.head(path))).toEqual(
      contentHeaders(await registry.get(path)),
    )
    for (const { digest, size } of blobs) {
      expect((await registry.get(`/v2/cvi/disk/blobs/${digest}`)).bytes).toHaveLength(size)
    }
    expect(await registry.pages('/v2/cvi/disk/tags/list')).toEqual([['latest']])
    expect((await registry.pages('/v2/_catalog')).flat()).toContain('cvi/disk')
    expect((await registry.get(`/v2/cvi/disk/referrers/${manifest.digest}`)).json()).toMatchObject({
      manifests: [],
    })
  })

  const session = '00000000-0000-0000-0000-000000000000'
  const writes: readonly (readonly [string, () => string])[] = [
    ['POST', () => 'blobs/uploads/'],
    ['POST', () => `blobs/uploads/?digest=${blobs[0]?.digest}`],
    ['POST', () => `blobs/uploads/?mount=${blobs[0]?.digest}`],
    ['PATCH', () => `blobs/uploads/${session}`],
    ['PUT', () => `blobs/uploads/${session}?digest=${blobs[0]?.digest}`],
    ['DELETE', () => `blobs/uploads/${session}`],
    ['PUT', () => 'manifests/latest'],
    ['PUT', () => `manifests/${manifest.digest}?tag=other`],
    ['DELETE', () => 'manifests/latest'],
    ['DELETE', () => `manifests/${manifest.digest}`],
    ['DELETE', () => `blobs/${blobs[0]?.digest}`],
  ]
  test.each(writes)('is not changed by %s %s', async (method, path) => {
    const { registry } = at
    for (const repository of ['cvi/disk', 'cvi/none', 'cvi']) {
      const body = method === 'DELETE' ? undefined : manifest.bytes
      const reply = await registry.ask(method, `/v2/${repository}/${path()}`, body && { body })
      expectRefusal(reply, 403, 'DENIED')
    }
    expect((await registry.get('/v2/cvi/disk/manifests/latest')).bytes.equals(manifest.bytes)).toBe(
      true,
    )
  })

  test('gives its layers to repositories of people, which then keep them', async () => {
    const { service, registry } = at
    const into = registry.repository()
    for (const { digest } of blobs) {
      const path = `/v2/${into}/blobs/uploads/?mount=${digest}&from=cvi/disk`
      expected(await registry.ask('POST', path), 201)
    }
    await registry.putWhole(into, manifest.bytes, { tag: 'copy' })
    const { status } = await service.rest.image('disk')
    expect(status.phase).toBe('Ready')
    await service.rest.delete('disk')
    await expect
      .poll(async () => (await registry.head('/v2/cvi/disk/manifests/latest')).status)
      .toBe(404)
    for (const { digest, size } of blobs) {
      expect((await registry.get(`/v2/${into}/blobs/${digest}`)).bytes).toHaveLength(size)
    }
  })

  test('may be named by an image that people push, elsewhere', async () => {
    const { registry } = at
    const into = registry.repository()
    const { config, layers } = await pushImage(registry, into)
    const bytes = imageOf(config, layers, {
      subject: {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        ...manifest,
        bytes: undefined,
        size: 1,
      },
    })
    expected(await registry.put(into, 'about', bytes), 201)
  })
})
