import { beforeAll, expect, test } from 'vitest'
import { prepareImage, pushImage } from '../support/conformance-documents.ts'
import { expectRefusal } from '../support/conformance-refusal.ts'
import { expected, serving } from '../support/conformance-registry.ts'

const at = serving()

/** In ASCII order; a hyphen and a dot come before the slash. */
const names = ['a', 'a-b', 'a.b', 'a/b', 'a/b/c', 'a0', 'a_b', 'b', 'z/z']

beforeAll(async () => {
  for (const name of names.toReversed()) await pushImage(at.registry, name, { tag: 'one' })
  await prepareImage(at.registry, 'only-blobs')
  await at.registry.begin('only-begun')
})

test('the catalog holds the repositories that have manifests, in ASCII order', async () => {
  const reply = expected(await at.registry.get('/v2/_catalog'), 200)
  expect(reply.json()).toEqual({ repositories: names })
  expect(reply.header('content-type')).toBe('application/json')
  expect(reply.header('link')).toBeNull()
  expect((await at.registry.head('/v2/_catalog')).status).toBe(200)
})

test.each([1, 2, 4, 8, 9, 10, 100_000])('joined from pages of %i it is whole', async (count) => {
  const pages = await at.registry.pages(`/v2/_catalog?n=${count}`)
  expect(pages.flat()).toEqual(names)
  expect(pages).toHaveLength(Math.ceil(names.length / count))
})

test('it begins behind last, whether that is a repository or not', async () => {
  for (const last of [...names, '', 'a/', 'a/a', 'm', 'zzz']) {
    const pages = await at.registry.pages(`/v2/_catalog?n=3&last=${encodeURIComponent(last)}`)
    expect(pages.flat()).toEqual(names.filter((name) => name > last))
  }
})

test('it is empty with n=0, and so leads nowhere', async () => {
  const reply = expected(await at.registry.get('/v2/_catalog?n=0'), 200)
  expect(reply.json()).toEqual({ repositories: [] })
  expect(reply.header('link')).toBeNull()
})

test.each(['x', '-1', '1.5', ''])('it is refused for n=%s', async (count) => {
  const reply = await at.registry.get(`/v2/_catalog?n=${count}`)
  expectRefusal(reply, reply.status === 400 ? 400 : 422, 'UNSUPPORTED')
})
