import { expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { fresh, pushImage } from '../support/conformance-documents.ts'
import { expectRefusal } from '../support/conformance-refusal.ts'
import { expected, sharing } from '../support/conformance-registry.ts'
import { close } from '../support/conformance-ways.ts'

const at = sharing()

async function pushed(algorithm: 'sha256' | 'sha512' = 'sha256') {
  const { registry } = at
  const from = registry.repository()
  const into = registry.repository()
  const bytes = fresh(500)
  const digest = await registry.push(from, bytes, algorithm)
  const mount = async (query: string) =>
    await registry.ask('POST', `/v2/${into}/blobs/uploads/?${query}`)
  return { registry, from, into, bytes, digest, mount, path: `/v2/${into}/blobs/${digest}` }
}

test.each([
  ['from a repository', (digest: string, from: string) => `mount=${digest}&from=${from}`],
  ['from anywhere', (digest: string) => `mount=${digest}`],
  ['from an empty name', (digest: string) => `mount=${digest}&from=`],
  [
    'escaped and with parameters that nobody knows',
    (digest: string, from: string) =>
      `from=${encodeURIComponent(from)}&mount=${encodeURIComponent(digest)}&origin=127.0.0.1%3A5000`,
  ],
] as const)('a blob is mounted %s', async (_, query) => {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const { registry, from, digest, bytes, mount, path } = await pushed(algorithm)
    const reply = expected(await mount(query(digest, from)), 201)
    expect(reply.location).toBe(path)
    expect(reply.header('docker-content-digest')).toBe(digest)
    expect((await registry.get(path)).bytes.equals(bytes)).toBe(true)
  }
})

test('a mounted blob stays when it is deleted where it came from, and the other way round', async () => {
  const { registry, from, digest, mount, path } = await pushed()
  expected(await mount(`mount=${digest}&from=${from}`), 201)
  expected(await registry.delete(`/v2/${from}/blobs/${digest}`), 202)
  expect((await registry.head(`/v2/${from}/blobs/${digest}`)).status).toBe(404)
  expect((await registry.get(path)).status).toBe(200)
  const again = await pushed()
  expected(await again.mount(`mount=${again.digest}&from=${again.from}`), 201)
  expected(await registry.delete(again.path), 202)
  expect((await registry.get(`/v2/${again.from}/blobs/${again.digest}`)).status).toBe(200)
})

test.each([
  ['that nobody has', (_: string, from: string) => `mount=${digestOf(fresh(8))}&from=${from}`],
  ['that nobody has, from a name that is none', () => `mount=${digestOf(fresh(8))}&from=../NONE`],
] as const)('a mount of a blob %s becomes an upload', async (_, query) => {
  const { registry, from, digest, mount } = await pushed()
  const reply = expected(await mount(query(digest, from)), 202)
  expect(reply.header('docker-content-digest')).toBeNull()
  const bytes = fresh(20)
  expected(await close(registry, reply.location, digestOf(bytes), bytes), 201)
})

test.each(['conformance/none', '../NONE'])(
  'a mount from %s, which has no such blob, finds it where the caller may read it',
  async (from) => {
    const { digest, mount } = await pushed()
    expected(await mount(`mount=${digest}&from=${from}`), 201)
  },
)

test('a mount of what is no digest is refused', async () => {
  const { mount, from } = await pushed()
  for (const digest of ['', 'latest', 'sha256:12']) {
    expectRefusal(await mount(`mount=${digest}&from=${from}`), 400, 'DIGEST_INVALID')
  }
})

test('the layers of an image that is used elsewhere can be mounted', async () => {
  const { registry } = at
  const [from, into] = [registry.repository(), registry.repository()]
  const { bytes, config, layers } = await pushImage(registry, from)
  for (const { digest } of [config, ...layers]) {
    const path = `/v2/${into}/blobs/uploads/?mount=${digest}&from=${from}`
    expected(await registry.ask('POST', path), 201)
  }
  await registry.putWhole(into, bytes, { tag: 'copied' })
})
