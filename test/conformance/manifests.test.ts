import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { manifestTypes, mediaTypes } from '../../src/image/media-type.ts'
import {
  described,
  document,
  fresh,
  imageOf,
  indexOf,
  prepareImage,
  pushImage,
  type Described,
} from '../support/conformance-documents.ts'
import { expectRefusal } from '../support/conformance-refusal.ts'
import { contentHeaders, expected, sharing } from '../support/conformance-registry.ts'

const at = sharing()
const mebibyte = 1024 * 1024

async function prepared(extra = {}) {
  const { registry } = at
  const repository = registry.repository()
  const image = await prepareImage(registry, repository, extra)
  return { registry, repository, ...image }
}

let held: ReturnType<typeof prepared> | null = null

/** As `prepared`, the same for all that is refused: nothing of that may be left. */
async function refusing() {
  held ??= prepared()
  return await held
}

describe('a manifest', () => {
  test('comes back byte for byte, with its type and digest, by digest and by tag', async () => {
    const { registry, repository, config, layers } = await prepared()
    // Nobody would write it like this; it must stay so.
    const bytes = Buffer.from(`  ${imageOf(config, layers).toString().replace(',', ' ,\n')}\n `)
    const digest = digestOf(bytes)
    const put = expected(await registry.put(repository, 'odd', bytes), 201)
    expect(put.location).toBe(`/v2/${repository}/manifests/${digest}`)
    expect(put.header('docker-content-digest')).toBe(digest)
    for (const reference of ['odd', digest, digest.replace(':', '%3A')]) {
      const path = `/v2/${repository}/manifests/${reference}`
      const [get, head] = [await registry.get(path), await registry.head(path)]
      expect(get.bytes.equals(bytes)).toBe(true)
      expect(Object.fromEntries(get.headers)).toMatchObject({
        'content-type': [mediaTypes.manifest],
        'content-length': [String(bytes.length)],
        'docker-content-digest': [digest],
        'docker-distribution-api-version': ['registry/2.0'],
        etag: [`"${digest}"`],
      })
      expect(get.header('cache-control')).toBe(
        reference === 'odd' ? 'no-cache' : 'public, max-age=31536000, immutable',
      )
      expect(head.bytes).toHaveLength(0)
      expect(contentHeaders(head)).toEqual(contentHeaders(get))
    }
  })

  test('comes whatever types the client says that it takes', async () => {
    const { registry, repository, bytes } = await prepared()
    await registry.putWhole(repository, bytes, { tag: 'one' })
    for (const accept of ['application/json', mediaTypes.index, '*/*', 'text/html;q=0.1']) {
      const reply = await registry.get(`/v2/${repository}/manifests/one`, { accept })
      expect(reply.header('content-type')).toBe(mediaTypes.manifest)
    }
  })

  test('is not sent again to who has it', async () => {
    const { registry, repository, bytes, digest } = await prepared()
    await registry.putWhole(repository, bytes, { tag: 'one' })
    const path = `/v2/${repository}/manifests/one`
    const reply = await registry.get(path, { 'if-none-match': `"${digest}"` })
    expect([reply.status, reply.bytes.length]).toEqual([304, 0])
    expect(reply.header('docker-content-digest')).toBe(digest)
    await pushImage(registry, repository, { tag: 'one' })
    expect((await registry.get(path, { 'if-none-match': `"${digest}"` })).status).toBe(200)
  })

  test('echoes the registry that a mirror is asked for', async () => {
    const { registry, repository, bytes } = await prepared()
    await registry.putWhole(repository, bytes, { tag: 'one' })
    const path = `/v2/${repository}/manifests/one`
    for (const method of ['GET', 'HEAD']) {
      const reply = await registry.ask(method, `${path}?ns=registry.example:5000`)
      expect(reply.header('oci-namespace')).toBe('registry.example:5000')
    }
  })

  test('may be put again, and sent without a length', async () => {
    const { registry, repository, bytes, digest } = await prepared()
    for (const body of [bytes, [bytes.subarray(0, 9), bytes.subarray(9)]]) {
      const path = `/v2/${repository}/manifests/${digest}`
      const headers = { 'content-type': mediaTypes.manifest }
      expected(await registry.ask('PUT', path, { headers, body }), 201)
    }
  })

  test('of the same bytes under a tag that moves leaves the one before where it was', async () => {
    const { registry, repository, bytes, digest } = await prepared()
    await registry.putWhole(repository, bytes, { tag: 'moving' })
    const second = await pushImage(registry, repository, { tag: 'moving' })
    const path = `/v2/${repository}/manifests`
    expect((await registry.head(`${path}/moving`)).header('docker-content-digest')).toBe(
      second.digest,
    )
    expect((await registry.head(`${path}/${digest}`)).status).toBe(200)
  })

  test('of 4 MiB is taken, one of more than 8 MiB is not', async () => {
    const { registry, repository, config, layers } = await prepared()
    const filled = (size: number) => {
      const empty = imageOf(config, layers, { annotations: { x: '' } })
      return imageOf(config, layers, { annotations: { x: 'a'.repeat(size - empty.length) } })
    }
    for (const size of [4 * mebibyte, 8 * mebibyte]) {
      const bytes = filled(size)
      expect(bytes).toHaveLength(size)
      const digest = await registry.putWhole(repository, bytes)
      const reply = await registry.get(`/v2/${repository}/manifests/${digest}`)
      expect(reply.bytes.equals(bytes)).toBe(true)
    }
    const larger = filled(8 * mebibyte + 1)
    expectRefusal(await registry.put(repository, 'large', larger), 413, 'SIZE_INVALID')
    const headers = { 'content-type': mediaTypes.manifest }
    const path = `/v2/${repository}/manifests/large`
    const streamed = await registry.ask('PUT', path, { headers, body: [larger] })
    expectRefusal(streamed, 413, 'SIZE_INVALID')
    expect((await registry.head(path)).status).toBe(404)
  })
})

describe('a manifest is refused', () => {
  test.each([
    ['that is no JSON', () => Buffer.from('{"schemaVersion": 2')],
    ['that is empty', () => Buffer.alloc(0)],
    ['that is no object', () => document([])],
    ['that is null', () => document(null)],
    ['that is not in UTF-8', () => Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['of schema version 1', (image: object) => document({ ...image, schemaVersion: 1 })],
    ['without a configuration', (image: object) => document({ ...image, config: undefined })],
    ['without layers', (image: object) => document({ ...image, layers: undefined })],
    ['whose layers are no list', (image: object) => document({ ...image, layers: {} })],
    ['that is both image and index', (image: object) => document({ ...image, manifests: [] })],
    [
      'that says to be of another type',
      (image: object) => document({ ...image, mediaType: mediaTypes.index }),
    ],
    ['with a subject that is none', (image: object) => document({ ...image, subject: {} })],
    [
      'with annotations that are no texts',
      (image: object) => document({ ...image, annotations: { a: 1 } }),
    ],
    [
      'with an artifact type that is none',
      (image: object) => document({ ...image, artifactType: 'x' }),
    ],
  ])('%s', async (_, change) => {
    const { registry, repository, bytes } = await refusing()
    const changed = change(JSON.parse(bytes.toString()))
    for (const reference of ['bad', digestOf(changed)]) {
      expectRefusal(await registry.put(repository, reference, changed), 400, 'MANIFEST_INVALID')
    }
    expectRefusal(await registry.get(`/v2/${repository}/manifests/bad`), 404, 'NAME_UNKNOWN')
  })

  test.each([
    ['no size', { size: undefined }],
    ['a negative size', { size: -1 }],
    ['half a byte', { size: 0.5 }],
    ['no digest', { digest: undefined }],
    ['a digest of another kind', { digest: 'md5:d41d8cd98f00b204e9800998ecf8427e' }],
    ['a digest in upper case', { digest: `sha256:${'A'.repeat(64)}` }],
    ['no type', { mediaType: undefined }],
    ['a type that is none', { mediaType: 'layer' }],
    ['data that is no base64', { data: '???' }],
    ['data that is something else', { data: Buffer.from('something else').toString('base64') }],
  ])('with a layer of %s', async (_, change) => {
    const { registry, repository, config, layers } = await refusing()
    const bytes = imageOf(config, [{ ...layers[0], ...change }])
    expectRefusal(await registry.put(repository, 'bad', bytes), 400, 'MANIFEST_INVALID')
  })

  test.each(['config', 'layer'])('with a %s of another size than the blob has', async (part) => {
    const { registry, repository, config, layers } = await refusing()
    const [layer] = layers
    const lying = (size = 0) => size + 1
    const bytes =
      part === 'config'
        ? imageOf({ ...config, size: lying(config.size) }, layers)
        : imageOf(config, [{ ...layer, size: lying(layer?.size) }])
    const error = expectRefusal(await registry.put(repository, 'bad', bytes), 400, 'SIZE_INVALID')
    expect(error.message).toContain(part === 'config' ? config.digest : layer?.digest)
  })

  test.each([
    ['none', ''],
    ['JSON', 'application/json'],
    ['schema 1', 'application/vnd.docker.distribution.manifest.v1+prettyjws'],
    ['an unknown one', 'application/vnd.example.thing+json'],
    ['the type of an index', mediaTypes.index],
  ])('with the content type %s', async (_, type) => {
    const { registry, repository, bytes } = await refusing()
    const path = `/v2/${repository}/manifests/bad`
    const headers = type === '' ? {} : { 'content-type': type }
    const reply = await registry.ask('PUT', path, { headers, body: bytes })
    expectRefusal(reply, 400, 'MANIFEST_INVALID')
  })

  test('by a digest that is not its own', async () => {
    const { registry, repository, bytes } = await refusing()
    const padded = Buffer.concat([bytes, Buffer.from('  ')])
    for (const algorithm of ['sha256', 'sha512'] as const) {
      const reply = await registry.put(repository, digestOf(bytes, algorithm), padded)
      expectRefusal(reply, 400, 'DIGEST_INVALID')
      expect((await registry.head(`/v2/${repository}/manifests/${digestOf(padded)}`)).status).toBe(
        404,
      )
    }
  })

  test.each([
    'sha256:12',
    `sha256:${'A'.repeat(64)}`,
    'md5:d41d8cd98f00b204e9800998ecf8427e',
    'a:b',
  ])('by %s, which is no digest', async (reference) => {
    const { registry, repository, bytes } = await refusing()
    expectRefusal(await registry.put(repository, reference, bytes), 400, 'DIGEST_INVALID')
  })

  test.each(['.hidden', '-dash', 'a+b', 'a%20b', 'a%40b', 'x'.repeat(129), '%C3%A9'])(
    'under %s, which is no tag',
    async (reference) => {
      const { registry, repository, bytes } = await refusing()
      expectRefusal(await registry.put(repository, reference, bytes), 400, 'MANIFEST_INVALID')
      const path = `/v2/${repository}/manifests/${reference}`
      expectRefusal(await registry.get(path), 404, 'NAME_UNKNOWN')
    },
  )

  test('with blobs that are missing, all of which are told', async () => {
    const { registry, repository, config, layers } = await refusing()
    const missing = [described(fresh(5)), described(fresh(6)), described(fresh(7))]
    const bytes = imageOf(config, [...layers, ...missing])
    const error = expectRefusal(
      await registry.put(repository, 'bad', bytes),
      404,
      'MANIFEST_BLOB_UNKNOWN',
    )
    expect([...(error.detail?.digests ?? [])].sort()).toEqual(
      missing.map(({ digest }) => digest).sort(),
    )
  })

  test('with blobs that only another repository has', async () => {
    const { registry, bytes, config, layers } = await refusing()
    const reply = await registry.put(registry.repository(), 'bad', bytes)
    const error = expectRefusal(reply, 404, 'MANIFEST_BLOB_UNKNOWN')
    expect([...(error.detail?.digests ?? [])].sort()).toEqual(
      [config, ...layers].map(({ digest }) => digest).sort(),
    )
  })

  test.each([
    ['has a configuration', (child: Described) => ({ config: child })],
    ['has layers', (child: Described) => ({ layers: [child] })],
    ['embeds something else', (child: Described) => ({ manifests: [{ ...child, data: 'e30=' }] })],
    [
      'has a subject with other data',
      (child: Described) => ({ subject: { ...child, data: 'e30=' } }),
    ],
    ['lists what is no descriptor', () => ({ manifests: ['image'] })],
    ['lists nothing at all', () => ({ manifests: undefined })],
  ])('as an index that %s', async (_, change) => {
    const { registry, repository, described: child } = await refusing()
    const bytes = indexOf([child], change(child))
    const reply = await registry.put(repository, 'bad', bytes, mediaTypes.index)
    expectRefusal(reply, 400, 'MANIFEST_INVALID')
  })

  test('as an index of manifests that are missing or only blobs', async () => {
    const { registry, repository, bytes, digest, described: child } = await prepared()
    await registry.push(repository, bytes)
    const reply = await registry.put(repository, 'bad', indexOf([child]), mediaTypes.index)
    const error = expectRefusal(reply, 404, 'MANIFEST_BLOB_UNKNOWN')
    expect(error.detail?.digests).toEqual([digest])
  })
})

describe('a manifest is taken', () => {
  test.each([
    ...manifestTypes.image.map((type) => [type, 'image'] as const),
    ...manifestTypes.index.map((type) => [type, 'index'] as const),
  ])('as %s, with mediaType and without', async (type, kind) => {
    const { registry, repository, config, layers, bytes: image } = await prepared()
    await registry.putWhole(repository, image)
    for (const mediaType of [type, undefined]) {
      const parts =
        kind === 'image'
          ? { config, layers }
          : { manifests: [described(image, mediaTypes.manifest)] }
      const bytes = document({ schemaVersion: 2, mediaType, ...parts })
      expected(await registry.put(repository, 'taken', bytes, type), 201)
      const reply = await registry.get(`/v2/${repository}/manifests/taken`)
      expect(reply.header('content-type')).toBe(type)
      expect(reply.bytes.equals(bytes)).toBe(true)
    }
  })

  test('with a content type in another case and with a parameter', async () => {
    const { registry, repository, bytes } = await prepared()
    const type = `${mediaTypes.manifest.toUpperCase()}; charset=utf-8`
    expected(await registry.put(repository, 'taken', bytes, type), 201)
    const reply = await registry.head(`/v2/${repository}/manifests/taken`)
    expect(reply.header('content-type')).toBe(mediaTypes.manifest)
  })
})
