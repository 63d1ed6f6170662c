import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { digestOf } from '../../src/image/digest.ts'
import { mediaTypes } from '../../src/image/media-type.ts'
import {
  described,
  fresh,
  imageOf,
  indexOf,
  prepareImage,
  pushImage,
  type Described,
} from '../support/conformance-documents.ts'
import { expectRefusal } from '../support/conformance-refusal.ts'
import { expected, sharing, type Registry } from '../support/conformance-registry.ts'

const at = sharing()

const listSchema = z.strictObject({
  schemaVersion: z.literal(2),
  mediaType: z.literal(mediaTypes.index),
  manifests: z.array(
    z.strictObject({
      mediaType: z.string(),
      digest: z.string(),
      size: z.int(),
      artifactType: z.string().optional(),
      annotations: z.record(z.string(), z.string()).optional(),
    }),
  ),
})

async function page(registry: Registry, path: string) {
  const reply = expected(await registry.get(path), 200)
  expect(reply.header('content-type')).toBe(mediaTypes.index)
  return { reply, manifests: listSchema.parse(reply.json()).manifests }
}

async function all(registry: Registry, path: string) {
  const found = []
  for (let next: string | null = path; next !== null;) {
    const { reply, manifests } = await page(registry, next)
    found.push(manifests)
    next = reply.next
  }
  return found
}

async function subject() {
  const { registry } = at
  const repository = registry.repository()
  const image = await pushImage(registry, repository, { tag: 'subject' })
  return { registry, repository, image, path: `/v2/${repository}/referrers/${image.digest}` }
}

const signature = 'application/vnd.example.signature'

async function refer(registry: Registry, repository: string, to: Described, extra: object = {}) {
  return await pushImage(registry, repository, { subject: to, ...extra })
}

describe('the list of referrers', () => {
  test('is an empty index where there is nothing, and even no repository', async () => {
    const { registry } = at
    for (const algorithm of ['sha256', 'sha512'] as const) {
      const digest = digestOf(fresh(3), algorithm)
      const path = `/v2/${registry.repository()}/referrers/${digest}`
      expect((await page(registry, path)).manifests).toEqual([])
      const head = expected(await registry.head(path), 200)
      expect(head.header('content-type')).toBe(mediaTypes.index)
    }
  })

  test.each(['latest', 'sha256:12', 'md5:d41d8cd98f00b204e9800998ecf8427e'])(
    'of %s, which is no digest, is refused',
    async (reference) => {
      const path = `/v2/${at.registry.repository()}/referrers/${reference}`
      expectRefusal(await at.registry.get(path), 400, 'DIGEST_INVALID')
    },
  )

  test('shows what refers right after the push, as it describes itself', async () => {
    const { registry, repository, image, path } = await subject()
    const annotations = { 'org.example.by': 'somebody', empty: '' }
    const plain = await refer(registry, repository, image.described)
    const typed = await refer(registry, repository, image.described, {
      artifactType: signature,
      annotations,
    })
    const bytes = indexOf([image.described], {
      subject: image.described,
      artifactType: 'application/vnd.example.bundle',
      annotations,
    })
    const index = expected(
      await registry.put(repository, digestOf(bytes), bytes, mediaTypes.index),
      201,
    )
    expect(index.header('oci-subject')).toBe(image.digest)
    const bare = indexOf([], { subject: image.described })
    await registry.putWhole(repository, bare, { type: 'index' })
    const wanted = [
      { ...plain.described, artifactType: mediaTypes.config },
      { ...typed.described, artifactType: signature, annotations },
      {
        ...described(bytes, mediaTypes.index),
        artifactType: 'application/vnd.example.bundle',
        annotations,
      },
      described(bare, mediaTypes.index),
    ]
    const { manifests, reply } = await page(registry, path)
    expect(byDigest(manifests)).toEqual(byDigest(wanted))
    expect(reply.header('oci-filters-applied')).toBeNull()
    expect(reply.header('link')).toBeNull()
  })

  test('can be asked for one type of them', async () => {
    const { registry, repository, image, path } = await subject()
    const plain = await refer(registry, repository, image.described)
    const typed = await refer(registry, repository, image.described, { artifactType: signature })
    const digestsOf = async (type: string) => {
      const { manifests, reply } = await page(
        registry,
        `${path}?artifactType=${encodeURIComponent(type)}`,
      )
      expect(reply.header('oci-filters-applied')).toBe('artifactType')
      return manifests.map(({ digest }) => digest)
    }
    expect(await digestsOf(signature)).toEqual([typed.digest])
    expect(await digestsOf(mediaTypes.config)).toEqual([plain.digest])
    expect(await digestsOf('application/vnd.example.none')).toEqual([])
  })

  test('takes an empty artifact type for none', async () => {
    const { registry, repository, image, path } = await subject()
    await refer(registry, repository, image.described, { artifactType: '' })
    const { manifests } = await page(registry, path)
    expect(manifests).toMatchObject([{ artifactType: mediaTypes.config }])
  })

  test('exists before its subject does, with it and after it', async () => {
    const { registry } = at
    const repository = registry.repository()
    const image = await prepareImage(registry, repository)
    const path = `/v2/${repository}/referrers/${image.digest}`
    const { bytes } = await prepareImage(registry, repository, { subject: image.described })
    for (const reference of [digestOf(bytes), 'by-tag']) {
      const put = expected(await registry.put(repository, reference, bytes), 201)
      expect(put.header('oci-subject')).toBe(image.digest)
    }
    const digests = async () => (await page(registry, path)).manifests.map(({ digest }) => digest)
    expect(await digests()).toEqual([digestOf(bytes)])
    await registry.putWhole(repository, image.bytes)
    expect(await digests()).toEqual([digestOf(bytes)])
    expected(await registry.delete(`/v2/${repository}/manifests/${image.digest}`), 202)
    expect(await digests()).toEqual([digestOf(bytes)])
    expected(await registry.delete(`/v2/${repository}/manifests/${digestOf(bytes)}`), 202)
    expect(await digests()).toEqual([])
  })

  test('is that of one repository', async () => {
    const { registry, repository, image } = await subject()
    await refer(registry, repository, image.described)
    const elsewhere = `/v2/${registry.repository()}/referrers/${image.digest}`
    expect((await page(registry, elsewhere)).manifests).toEqual([])
  })

  test('joined from pages is whole, filtered or not, and each is there once', async () => {
    const { registry, repository, image, path } = await subject()
    const pushed = await Promise.all(
      Array.from({ length: 7 }, async (_, index) => {
        const artifactType = index % 2 === 0 ? signature : 'application/vnd.example.other'
        return await refer(registry, repository, image.described, { artifactType })
      }),
    )
    const digests = pushed.map(({ digest }) => digest).sort()
    for (const count of [1, 2, 3, 6, 7, 8]) {
      const pages = await all(registry, `${path}?n=${count}`)
      expect(pages.flat().map(({ digest }) => digest)).toEqual(digests)
      expect(pages).toHaveLength(Math.ceil(7 / count))
    }
    const filtered = await all(registry, `${path}?n=3&artifactType=${signature}`)
    expect(filtered.map(({ length }) => length)).toEqual([3, 1])
    for (const { artifactType } of filtered.flat()) expect(artifactType).toBe(signature)
  })

  test('stays below 4 MiB a page however much their annotations hold', async () => {
    const { registry, repository, image, path } = await subject()
    const { config, layers } = image
    const digests = []
    for (const index of [1, 2, 3, 4]) {
      const annotations = { filling: 'x'.repeat(1_500_000), index: String(index) }
      const bytes = imageOf(config, layers, { subject: image.described, annotations })
      digests.push(await registry.putWhole(repository, bytes))
    }
    const found = []
    for (let next: string | null = path; next !== null;) {
      const { reply, manifests } = await page(registry, next)
      expect(reply.bytes.length).toBeLessThan(4 * 1024 * 1024)
      found.push(...manifests)
      next = reply.next
    }
    expect(found.map(({ digest }) => digest)).toEqual(digests.toSorted())
  })

  test('names subjects and referrers of sha512', async () => {
    const { registry, repository, image } = await subject()
    const long = described(image.bytes, mediaTypes.manifest, 'sha512')
    expected(await registry.put(repository, long.digest, image.bytes), 201)
    const { bytes } = await prepareImage(registry, repository, { subject: long })
    const digest = digestOf(bytes, 'sha512')
    const put = expected(await registry.put(repository, digest, bytes), 201)
    expect(put.header('oci-subject')).toBe(long.digest)
    const { manifests } = await page(registry, `/v2/${repository}/referrers/${long.digest}`)
    expect(manifests.map((found) => found.digest)).toEqual([digest])
  })
})

function byDigest<Thing extends { readonly digest: string }>(things: readonly Thing[]) {
  return things.toSorted((a, b) => (a.digest < b.digest ? -1 : 1))
}
