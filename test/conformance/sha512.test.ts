import { expect, test } from 'vitest'
import { mediaTypes } from '../../src/image/media-type.ts'
import { described, indexOf, prepareImage } from '../support/conformance-documents.ts'
import { expectRefusal } from '../support/conformance-refusal.ts'
import { expected, sharing } from '../support/conformance-registry.ts'

const at = sharing()

async function image() {
  const { registry } = at
  const repository = registry.repository()
  const made = await prepareImage(registry, repository, {}, 'sha512')
  return { registry, repository, ...made, path: `/v2/${repository}/manifests` }
}

test('an image by sha512 alone answers by it, by digest and by tag', async () => {
  const { registry, repository, bytes, digest, path } = await image()
  const put = expected(await registry.put(repository, `${digest}?tag=long`, bytes), 201)
  expect(put.header('docker-content-digest')).toBe(digest)
  expect(put.location).toBe(`${path}/${digest}`)
  for (const reference of [digest, 'long']) {
    for (const method of ['GET', 'HEAD']) {
      const reply = expected(await registry.ask(method, `${path}/${reference}`), 200)
      expect(reply.header('docker-content-digest')).toBe(digest)
      expect(reply.header('etag')).toBe(`"${digest}"`)
    }
  }
})

test('the same manifest by sha256 and by sha512 is two, and a tag is of the last one', async () => {
  const { registry, repository, bytes, digest, path } = await image()
  expected(await registry.put(repository, `${digest}?tag=one`, bytes), 201)
  const short = await registry.putWhole(repository, bytes, { tag: 'one' })
  const digestAt = async (reference: string) =>
    (await registry.head(`${path}/${reference}`)).header('docker-content-digest')
  expect(await digestAt('one')).toBe(short)
  expect(await digestAt(digest)).toBe(digest)
  expect(await digestAt(short)).toBe(short)
})

test('an index lists images by sha512', async () => {
  const { registry, repository, bytes, digest, described: child, path } = await image()
  const index = indexOf([child])
  const long = described(index, mediaTypes.index, 'sha512').digest
  const early = await registry.put(repository, long, index, mediaTypes.index)
  expectRefusal(early, 404, 'MANIFEST_BLOB_UNKNOWN')
  expected(await registry.put(repository, digest, bytes), 201)
  expected(await registry.put(repository, long, index, mediaTypes.index), 201)
  expect((await registry.get(`${path}/${long}`)).bytes.equals(index)).toBe(true)
})

test('a blob is had by the digest that it was pushed by', async () => {
  const { registry } = at
  const repository = registry.repository()
  const bytes = Buffer.from('by either of them')
  const long = await registry.push(repository, bytes, 'sha512')
  const short = described(bytes).digest
  expect((await registry.head(`/v2/${repository}/blobs/${long}`)).status).toBe(200)
  expect((await registry.head(`/v2/${repository}/blobs/${short}`)).status).toBe(404)
  await registry.push(repository, bytes)
  expect((await registry.head(`/v2/${repository}/blobs/${short}`)).status).toBe(200)
  expected(await registry.delete(`/v2/${repository}/blobs/${long}`), 202)
  expect((await registry.get(`/v2/${repository}/blobs/${short}`)).bytes.equals(bytes)).toBe(true)
})
