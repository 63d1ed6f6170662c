import { beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { prepareImage, pushImage } from '../support/conformance-documents.ts'
import { expectRefusal } from '../support/conformance-refusal.ts'
import { expected, sharing } from '../support/conformance-registry.ts'

const at = sharing()

/** An image and the path of its manifest. */
async function image() {
  const { registry } = at
  const repository = registry.repository()
  const { bytes, digest } = await prepareImage(registry, repository)
  const tagged = async (tags: readonly string[]) =>
    await registry.put(
      repository,
      `${digest}?${tags.map((tag) => `tag=${encodeURIComponent(tag)}`).join('&')}`,
      bytes,
    )
  const list = `/v2/${repository}/tags/list`
  return { registry, repository, bytes, digest, tagged, list }
}

/** In ASCII order. */
const ordered = ['0', 'A', 'B.1', 'Z', '_', 'a', 'a-1', 'a.1', 'a1', 'a_1', 'b', 'z']

describe('the list of tags', () => {
  let whole: Awaited<ReturnType<typeof image>>
  beforeAll(async () => {
    whole = await image()
    expected(await whole.tagged(ordered.toReversed()), 201)
  })

  test('is in ASCII order, whatever the order of the pushes', async () => {
    const { registry, repository, list } = whole
    const reply = expected(await registry.get(list), 200)
    expect(reply.json()).toEqual({ name: repository, tags: ordered })
    expect(reply.header('content-type')).toBe('application/json')
    expect(reply.header('link')).toBeNull()
    expect((await registry.head(list)).status).toBe(200)
  })

  test.each([1, 2, 3, 5, 11, 12, 13, 1000])('joined from pages of %i is whole', async (count) => {
    const { registry, list } = whole
    const pages = await registry.pages(`${list}?n=${count}`)
    expect(pages.flat()).toEqual(ordered)
    expect(pages.map(({ length }) => length)).toEqual(
      Array.from({ length: Math.ceil(ordered.length / count) }, (_, index) =>
        Math.min(count, ordered.length - index * count),
      ),
    )
  })

  test('is empty with n=0, and so leads nowhere', async () => {
    const { registry, repository, list } = whole
    const reply = expected(await registry.get(`${list}?n=0`), 200)
    expect(reply.json()).toEqual({ name: repository, tags: [] })
    expect(reply.header('link')).toBeNull()
  })

  test('begins behind last, whether that is a tag or not', async () => {
    const { registry, list } = whole
    const behind = async (last: string) =>
      (await registry.pages(`${list}?last=${encodeURIComponent(last)}`)).flat()
    for (const last of [...ordered, 'a/', 'M', '~', '', 'zz', '"', "a'--"]) {
      expect(await behind(last)).toEqual(ordered.filter((tag) => tag > last))
    }
    expect(await registry.pages(`${list}?last=B.1&n=4`)).toEqual([
      ordered.slice(3, 7),
      ordered.slice(7, 11),
      ordered.slice(11),
    ])
  })

  test.each(['x', '-1', '1.5', '', '1e3', '0x10'])('is refused for n=%s', async (count) => {
    const { registry, list } = whole
    const reply = await registry.get(`${list}?n=${count}`)
    expectRefusal(reply, reply.status === 400 ? 400 : 422, 'UNSUPPORTED')
  })

  test('of a repository that is not there is refused', async () => {
    const list = `/v2/${at.registry.repository()}/tags/list`
    expectRefusal(await at.registry.get(list), 404, 'NAME_UNKNOWN')
    // Blobs alone do not make one.
    const { registry, repository } = await image()
    expectRefusal(await registry.get(`/v2/${repository}/tags/list`), 404, 'NAME_UNKNOWN')
  })

  test('of a repository that has manifests and no tag is empty', async () => {
    const { registry, repository } = await image()
    await pushImage(registry, repository)
    expect((await registry.get(`/v2/${repository}/tags/list`)).json()).toEqual({
      name: repository,
      tags: [],
    })
  })

  test('echoes the registry that a mirror is asked for', async () => {
    const { registry, list } = whole
    const reply = await registry.get(`${list}?ns=quay.io`)
    expect(reply.header('oci-namespace')).toBe('quay.io')
  })
})

describe('tags that a push by digest brings', () => {
  test('are set, told and counted once', async () => {
    const { registry, repository, digest, tagged, list } = await image()
    const reply = expected(await tagged(['b', 'a', 'b']), 201)
    expect(new Set(reply.headers.get('oci-tag')?.flatMap((line) => line.split(', ')))).toEqual(
      new Set(['a', 'b']),
    )
    expect(await registry.pages(list)).toEqual([['a', 'b']])
    for (const tag of ['a', 'b']) {
      const head = await registry.head(`/v2/${repository}/manifests/${tag}`)
      expect(head.header('docker-content-digest')).toBe(digest)
    }
  })

  test.each([
    ['one is no tag', ['good', '.bad']],
    ['one is empty', ['good', '']],
    ['one is a digest', ['good', `sha256:${'0'.repeat(64)}`]],
    ['there are more than a hundred', Array.from({ length: 101 }, (_, index) => `t${index}`)],
  ])('are all refused when %s, and the manifest with them', async (_, tags) => {
    const { registry, repository, digest, tagged, list } = await image()
    const reply = await tagged(tags)
    expect(reply.status).toBe(400)
    expectRefusal(
      reply,
      400,
      tags.some((tag) => tag.includes(':')) ? 'DIGEST_INVALID' : 'MANIFEST_INVALID',
    )
    expectRefusal(await registry.get(list), 404, 'NAME_UNKNOWN')
    expect((await registry.head(`/v2/${repository}/manifests/${digest}`)).status).toBe(404)
  })

  test('may be a hundred, and move from another manifest', async () => {
    const { registry, repository, bytes, tagged, list } = await image()
    const all = Array.from({ length: 100 }, (_, index) => `t${100 + index}`)
    expected(await tagged(all), 201)
    const second = await prepareImage(registry, repository)
    expected(await registry.put(repository, `${second.digest}?tag=t100`, second.bytes), 201)
    expect((await registry.pages(list)).flat()).toEqual(all)
    const digestAt = async (tag: string) =>
      (await registry.head(`/v2/${repository}/manifests/${tag}`)).header('docker-content-digest')
    expect(await digestAt('t100')).toBe(second.digest)
    expect(await digestAt('t101')).toBe(digestOf(bytes))
  })

  test('are set by the digest of their manifest, of sha512, too', async () => {
    const { registry, repository, bytes, list } = await image()
    const digest = digestOf(bytes, 'sha512')
    expected(await registry.put(repository, `${digest}?tag=long`, bytes), 201)
    expect(await registry.pages(list)).toEqual([['long']])
    const head = await registry.head(`/v2/${repository}/manifests/long`)
    expect(head.header('docker-content-digest')).toBe(digest)
  })
})
