import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { fresh } from '../support/conformance-documents.ts'
import { expectRefusal } from '../support/conformance-refusal.ts'
import { contentHeaders, expected, sharing } from '../support/conformance-registry.ts'
import { close, ways } from '../support/conformance-ways.ts'
import { request } from '../support/wire.ts'

const at = sharing()

const algorithms = ['sha256', 'sha512'] as const
const sizes = [0, 1, 1024, 1024 * 1024 + 7]
const matrix = algorithms.flatMap((algorithm) =>
  Object.entries(ways).flatMap(([name, way]) =>
    sizes.map((size) => ({ algorithm, name, way, size })),
  ),
)

test.each(matrix)(
  '$size bytes $name, by $algorithm, can be pulled and deleted',
  async ({ algorithm, way, size }) => {
    const { registry } = at
    const bytes = fresh(size)
    const digest = digestOf(bytes, algorithm)
    const repository = registry.repository()
    const path = `/v2/${repository}/blobs/${digest}`
    const reply = expected(await way(registry, repository, bytes, digest), 201)
    expect(reply.location).toBe(path)
    expect(reply.header('docker-content-digest')).toBe(digest)
    const [get, head] = [await registry.get(path), await registry.head(path)]
    expect(get.bytes.equals(bytes)).toBe(true)
    expect(get.header('docker-content-digest')).toBe(digest)
    expect(head.header('content-length')).toBe(String(size))
    expect(contentHeaders(head)).toEqual(contentHeaders(get))
    expect((await registry.delete(path)).status).toBe(202)
    expect((await registry.head(path)).status).toBe(404)
  },
)

/** A session that holds these bytes. */
async function begun(bytes = fresh(0)) {
  const { registry } = at
  const repository = registry.repository()
  const location = await registry.begin(repository)
  if (bytes.length > 0) expected(await registry.patch(location, bytes), 202)
  return { registry, repository, location }
}

async function told(location: string) {
  const reply = await at.registry.get(location)
  return { status: reply.status, range: reply.header('range') }
}

/** The offset of what is being written is told once it rests for a second. */
const slowly = { timeout: 10_000 }

describe('an upload', () => {
  test('tells where it goes on, and that there is nothing yet', async () => {
    const { registry } = at
    const repository = registry.repository()
    for (const path of [`/v2/${repository}/blobs/uploads/`, `/v2/${repository}/blobs/uploads`]) {
      const reply = expected(await registry.ask('POST', path), 202)
      const id = reply.header('docker-upload-uuid')
      expect(reply.location).toBe(`/v2/${repository}/blobs/uploads/${id}`)
      expect(reply.header('range')).toBe('0-0')
      expect(await told(reply.location)).toEqual({ status: 204, range: '0-0' })
    }
  })

  test('takes the algorithm that is asked for, and no unknown one', async () => {
    const { registry } = at
    const repository = registry.repository()
    const beginBy = async (algorithm: string) =>
      await registry.ask(
        'POST',
        `/v2/${repository}/blobs/uploads/?digest-algorithm=${encodeURIComponent(algorithm)}`,
      )
    for (const algorithm of algorithms) {
      // What was announced need not be what it is closed with.
      for (const closed of algorithms) {
        const bytes = fresh(70)
        const { location } = expected(await beginBy(algorithm), 202)
        expected(await registry.patch(location, bytes), 202)
        expected(await close(registry, location, digestOf(bytes, closed)), 201)
      }
    }
    for (const unknown of ['md5', 'SHA256', '', 'blake3']) {
      expectRefusal(await beginBy(unknown), 400, 'DIGEST_INVALID')
    }
  })

  test('grows by parts, and takes an empty one', async () => {
    const { registry, location } = await begun(fresh(10))
    expect((await registry.patch(location, Buffer.alloc(0))).header('range')).toBe('0-9')
    const reply = expected(await registry.patch(location, fresh(5), '10-14'), 202)
    expect(reply.header('range')).toBe('0-14')
    expect(reply.header('docker-upload-uuid')).toBe(location.split('/').at(-1))
    expect(await told(location)).toEqual({ status: 204, range: '0-14' })
  })

  test.each([
    ['bytes 10-14', 202],
    ['bytes=10-14', 202],
    ['10-14/15', 202],
    ['10-14/*', 202],
    ['9-13', 416],
    ['11-15', 416],
    ['0-4', 416],
    ['10-15', 400],
    ['10-13', 400],
    ['14-10', 400],
    ['10', 400],
    ['10-', 400],
    ['-5', 400],
    ['a-b', 400],
    ['99999999999999999-99999999999999999', 400],
  ])('with 10 bytes and five more said to be %s answers %i', async (range, status) => {
    const { registry, location } = await begun(fresh(10))
    const reply = await registry.patch(location, fresh(5), range)
    expect(reply.status).toBe(status)
    expect(await told(location)).toEqual({
      status: 204,
      range: status === 202 ? '0-14' : '0-9',
    })
    if (status === 416) {
      expectRefusal(reply, 416, 'BLOB_UPLOAD_INVALID')
      expect(reply.header('range')).toBe('0-9')
      expect(reply.location).toBe(location)
    }
  })

  test('out of order in the PUT is refused, and the upload goes on', async () => {
    const bytes = fresh(30)
    const { registry, location } = await begun(bytes.subarray(0, 10))
    const digest = digestOf(bytes)
    const last = bytes.subarray(20)
    const refused = await close(registry, location, digest, last, '20-29')
    expectRefusal(refused, 416, 'BLOB_UPLOAD_INVALID')
    expect(await told(`${location}?digest=${digest}`)).toEqual({ status: 204, range: '0-9' })
    expected(await registry.patch(location, bytes.subarray(10, 20), '10-19'), 202)
    expected(await close(registry, location, digest, last, '20-29'), 201)
    expectRefusal(await registry.get(location), 404, 'BLOB_UPLOAD_UNKNOWN')
  })

  test.each(algorithms)('by another %s digest is refused and leaves nothing', async (algorithm) => {
    const bytes = fresh(40)
    const other = digestOf(fresh(41), algorithm)
    const { registry, repository, location } = await begun(bytes)
    expectRefusal(await close(registry, location, other), 400, 'DIGEST_INVALID')
    const whole = `/v2/${repository}/blobs/uploads/?digest=${other}`
    expectRefusal(await registry.ask('POST', whole, { body: bytes }), 400, 'DIGEST_INVALID')
    for (const digest of [other, digestOf(bytes, algorithm)]) {
      expect((await registry.head(`/v2/${repository}/blobs/${digest}`)).status).toBe(404)
    }
  })

  test.each(['', 'sha256:', 'sha256:12', 'md5:d41d8cd98f00b204e9800998ecf8427e', 'latest'])(
    'is not closed by the digest "%s"',
    async (digest) => {
      const { registry, repository, location } = await begun(fresh(10))
      expectRefusal(await close(registry, location, digest), 400, 'DIGEST_INVALID')
      expect(await told(location)).toEqual({ status: 204, range: '0-9' })
      if (digest === '') return
      const path = `/v2/${repository}/blobs/uploads/`
      for (const query of ['digest', 'mount']) {
        const reply = await registry.ask('POST', `${path}?${query}=${digest}`, { body: 'x' })
        expectRefusal(reply, 400, 'DIGEST_INVALID')
      }
    },
  )

  test.each([
    ['in upper case', (digest: string) => digest.toUpperCase().replace('SHA', 'sha')],
    ['of 63 digits', (digest: string) => digest.slice(0, -1)],
    ['of 65 digits', (digest: string) => `${digest}0`],
    ['named sha512', (digest: string) => digest.replace('sha256', 'sha512')],
  ])('is not closed by a digest %s', async (_, change) => {
    const bytes = Buffer.from(`spelt wrong ${process.hrtime.bigint()}`)
    const { registry, location } = await begun(bytes)
    expectRefusal(await close(registry, location, change(digestOf(bytes))), 400, 'DIGEST_INVALID')
  })

  test('is not closed without a digest', async () => {
    const { registry, location } = await begun(fresh(10))
    expectRefusal(await registry.ask('PUT', location), 400, 'DIGEST_INVALID')
    expect(await told(location)).toEqual({ status: 204, range: '0-9' })
  })

  test('that is cancelled is gone', async () => {
    const { registry, location } = await begun(fresh(10))
    expect((await registry.delete(location)).status).toBe(204)
    expectRefusal(await registry.get(location), 404, 'BLOB_UPLOAD_UNKNOWN')
    expectRefusal(await registry.patch(location, fresh(1)), 404, 'BLOB_UPLOAD_UNKNOWN')
    expectRefusal(await close(registry, location, digestOf(fresh(1))), 404, 'BLOB_UPLOAD_UNKNOWN')
    expectRefusal(await registry.delete(location), 404, 'BLOB_UPLOAD_UNKNOWN')
  })

  test('belongs to its repository', async () => {
    const { registry, repository, location } = await begun(fresh(10))
    const elsewhere = location.replace(repository, registry.repository())
    expectRefusal(await registry.get(elsewhere), 404, 'BLOB_UPLOAD_UNKNOWN')
    expectRefusal(await registry.delete(elsewhere), 404, 'BLOB_UPLOAD_UNKNOWN')
    expectRefusal(await registry.patch(elsewhere, fresh(1)), 404, 'BLOB_UPLOAD_UNKNOWN')
    expect(await told(location)).toEqual({ status: 204, range: '0-9' })
  })

  test('keeps what arrived before the connection broke, and goes on from there', async ({
    expect,
  }) => {
    const bytes = fresh(1_000_000)
    const { registry, location } = await begun()
    const here = async () => Number((await told(location)).range?.replace('0-', '')) + 1
    {
      using wire = await request('PATCH', at.registry.base + location, {
        'Content-Length': bytes.length,
        'Content-Range': `0-${bytes.length - 1}`,
      })
      await wire.send(bytes.subarray(0, 600_000))
      await expect.poll(here, slowly).toBeGreaterThan(1)
    }
    await expect.poll(here, slowly).toBe(600_000)
    const rest = bytes.subarray(600_000)
    expected(await registry.patch(location, rest, `600000-${bytes.length - 1}`), 202)
    expected(await close(registry, location, digestOf(bytes)), 201)
  })

  test('waits for the word to go on before it takes bytes, and refuses before it', async () => {
    const bytes = fresh(100)
    const { registry, repository, location } = await begun()
    const expecting = { 'Content-Length': bytes.length, Expect: '100-continue' }
    const digest = digestOf(bytes)
    using refused = await request('PUT', `${at.registry.base}${location}?digest=nothing`, expecting)
    const answer = await refused.answer()
    expect(answer).toMatchObject({ status: 400 })
    using wire = await request('PUT', `${at.registry.base}${location}?digest=${digest}`, expecting)
    await wire.hears('HTTP/1.1 100 Continue')
    await wire.send(bytes)
    await wire.hears('HTTP/1.1 201 Created')
    expect((await registry.head(`/v2/${repository}/blobs/${digest}`)).status).toBe(200)
  })
})
