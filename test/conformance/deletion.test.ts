import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { mediaTypes } from '../../src/image/media-type.ts'
import { described, fresh, indexOf, pushImage } from '../support/conformance-documents.ts'
import { expectRefusal } from '../support/conformance-refusal.ts'
import { expected, sharing } from '../support/conformance-registry.ts'

const at = sharing()

async function image(tags: readonly string[] = []) {
  const { registry } = at
  const repository = registry.repository()
  const pushed = await pushImage(registry, repository)
  for (const tag of tags) await registry.putWhole(repository, pushed.bytes, { tag })
  const statusOf = async (path: string) => (await registry.head(`/v2/${repository}/${path}`)).status
  const remove = async (path: string) => await registry.delete(`/v2/${repository}/${path}`)
  return { registry, repository, ...pushed, statusOf, remove }
}

describe('deleting', () => {
  test('a tag leaves its manifest and the other tags', async () => {
    const { digest, statusOf, remove } = await image(['one', 'two'])
    expect((await remove('manifests/one')).status).toBe(202)
    expect(await statusOf('manifests/one')).toBe(404)
    expect(await statusOf('manifests/two')).toBe(200)
    expect(await statusOf(`manifests/${digest}`)).toBe(200)
    expectRefusal(await remove('manifests/one'), 404, 'MANIFEST_UNKNOWN')
  })

  test('a manifest takes all its tags with it, and no others', async () => {
    const { registry, repository, digest, statusOf, remove } = await image(['one', 'two'])
    await pushImage(registry, repository, { tag: 'other' })
    expect((await remove(`manifests/${digest}`)).status).toBe(202)
    for (const gone of ['one', 'two', digest]) expect(await statusOf(`manifests/${gone}`)).toBe(404)
    expect(await registry.pages(`/v2/${repository}/tags/list`)).toEqual([['other']])
  })

  test('the last manifest ends the repository', async () => {
    const { registry, repository, digest, remove } = await image(['one'])
    expected(await remove(`manifests/${digest}`), 202)
    expectRefusal(await registry.get(`/v2/${repository}/tags/list`), 404, 'NAME_UNKNOWN')
    expect((await registry.pages('/v2/_catalog')).flat()).not.toContain(repository)
    expectRefusal(await remove(`manifests/${digest}`), 404, 'NAME_UNKNOWN')
  })

  test('a blob that a manifest uses is refused, and the manifest is named', async () => {
    const { digest, config, layers, statusOf, remove } = await image()
    for (const { digest: used } of [config, ...layers]) {
      const error = expectRefusal(await remove(`blobs/${used}`), 405, 'UNSUPPORTED')
      expect(error.message).toContain(digest)
      expect(await statusOf(`blobs/${used}`)).toBe(200)
    }
    expected(await remove(`manifests/${digest}`), 202)
    for (const { digest: freed } of [config, ...layers]) {
      expect([202, 404]).toContain((await remove(`blobs/${freed}`)).status)
      expect(await statusOf(`blobs/${freed}`)).toBe(404)
    }
  })

  test('a blob that two manifests use takes the end of both', async () => {
    const { registry, repository, digest, bytes, layers, statusOf, remove } = await image()
    const second = Buffer.from(` ${bytes.toString()}`)
    await registry.putWhole(repository, second)
    const [layer] = layers
    expected(await remove(`manifests/${digest}`), 202)
    expectRefusal(await remove(`blobs/${layer?.digest}`), 405, 'UNSUPPORTED')
    expect(await statusOf(`blobs/${layer?.digest}`)).toBe(200)
    expected(await remove(`manifests/${digestOf(second)}`), 202)
    await remove(`blobs/${layer?.digest}`)
    expect(await statusOf(`blobs/${layer?.digest}`)).toBe(404)
  })

  test('a blob that nothing uses ends its lease at once, and it can be pushed again', async () => {
    const { registry, repository, statusOf, remove } = await image()
    const bytes = fresh(60)
    for (const attempt of ['first', 'second']) {
      const digest = await registry.push(repository, bytes)
      expect(await statusOf(`blobs/${digest}`), attempt).toBe(200)
      expected(await remove(`blobs/${digest}`), 202)
      expect(await statusOf(`blobs/${digest}`), attempt).toBe(404)
      expectRefusal(await remove(`blobs/${digest}`), 404, 'BLOB_UNKNOWN')
    }
  })

  test('a manifest that an index lists is refused until that has gone', async () => {
    const {
      registry,
      repository,
      digest,
      described: child,
      statusOf,
      remove,
    } = await image(['one'])
    const bytes = indexOf([child])
    const index = await registry.putWhole(repository, bytes, { type: 'index' })
    const error = expectRefusal(await remove(`manifests/${digest}`), 405, 'UNSUPPORTED')
    expect(error.message).toContain(index)
    expect(await statusOf(`manifests/${digest}`)).toBe(200)
    expect(await statusOf('manifests/one')).toBe(200)
    expected(await remove('manifests/one'), 202)
    expected(await remove(`manifests/${index}`), 202)
    expected(await remove(`manifests/${digest}`), 202)
  })

  test('a manifest that only another one of its own subject names is allowed', async () => {
    const { registry, repository, digest, described: subject, remove, statusOf } = await image()
    const referrer = await pushImage(registry, repository, { subject })
    expected(await remove(`manifests/${digest}`), 202)
    expect(await statusOf(`manifests/${referrer.digest}`)).toBe(200)
  })

  test('the bytes of a manifest as a blob does not take the manifest away', async () => {
    const { registry, repository, bytes, digest, statusOf, remove } = await image()
    await registry.push(repository, bytes)
    expectRefusal(await remove(`blobs/${digest}`), 405, 'UNSUPPORTED')
    expect(await statusOf(`manifests/${digest}`)).toBe(200)
  })

  test('in one repository leaves the same image in another', async () => {
    const { registry, bytes, digest, config, layers, remove } = await image()
    const other = registry.repository()
    for (const { digest: blob } of [config, ...layers]) {
      expected(await registry.ask('POST', `/v2/${other}/blobs/uploads/?mount=${blob}`), 201)
    }
    await registry.putWhole(other, bytes)
    expected(await remove(`manifests/${digest}`), 202)
    expect((await registry.get(`/v2/${other}/manifests/${digest}`)).bytes.equals(bytes)).toBe(true)
    for (const { digest: blob, size } of [config, ...layers]) {
      expect((await registry.get(`/v2/${other}/blobs/${blob}`)).bytes).toHaveLength(size)
    }
  })

  test('by the sha512 of a manifest leaves the one by its sha256', async () => {
    const { registry, repository, bytes, digest, statusOf, remove } = await image()
    const long = described(bytes, mediaTypes.manifest, 'sha512').digest
    expected(await registry.put(repository, long, bytes), 201)
    expected(await remove(`manifests/${long}`), 202)
    expect(await statusOf(`manifests/${long}`)).toBe(404)
    expect(await statusOf(`manifests/${digest}`)).toBe(200)
  })
})

describe('deleting what is not there', () => {
  test.each([
    ['a manifest', `manifests/${digestOf(Buffer.from('none'))}`, 'MANIFEST_UNKNOWN'],
    ['a tag', 'manifests/none', 'MANIFEST_UNKNOWN'],
    ['what is neither tag nor digest', 'manifests/.none', 'MANIFEST_UNKNOWN'],
    ['a blob', `blobs/${digestOf(Buffer.from('none'))}`, 'BLOB_UNKNOWN'],
    ['an upload', 'blobs/uploads/00000000-0000-0000-0000-000000000000', 'BLOB_UPLOAD_UNKNOWN'],
  ] as const)('%s is told to be unknown', async (_, path, code) => {
    const { remove } = await image()
    expectRefusal(await remove(path), 404, code)
  })

  test('a blob by what is no digest is refused', async () => {
    const { remove } = await image()
    expectRefusal(await remove('blobs/latest'), 400, 'DIGEST_INVALID')
  })
})
