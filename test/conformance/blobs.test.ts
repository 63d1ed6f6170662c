import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { fresh } from '../support/conformance-documents.ts'
import { expectRefusal } from '../support/conformance-refusal.ts'
import { contentHeaders, sharing } from '../support/conformance-registry.ts'

const at = sharing()
const size = 2048

async function pushed(bytes = fresh(size)) {
  const { registry } = at
  const repository = registry.repository()
  const digest = await registry.push(repository, bytes)
  return { registry, repository, bytes, digest, path: `/v2/${repository}/blobs/${digest}` }
}

describe('a blob', () => {
  test('comes with its digest, its exact length and a name for its state', async () => {
    const { registry, bytes, digest, path } = await pushed()
    const reply = await registry.get(path, { 'accept-encoding': 'gzip, br, zstd' })
    expect(reply.status).toBe(200)
    expect(reply.bytes.equals(bytes)).toBe(true)
    expect(Object.fromEntries(reply.headers)).toMatchObject({
      'content-length': [String(size)],
      'content-type': ['application/octet-stream'],
      'docker-content-digest': [digest],
      'docker-distribution-api-version': ['registry/2.0'],
      etag: [`"${digest}"`],
      'accept-ranges': ['bytes'],
      'cache-control': ['public, max-age=31536000, immutable'],
    })
    expect(reply.header('content-encoding')).toBeNull()
  })

  test('answers HEAD with the headers of GET and no byte', async () => {
    const { registry, path } = await pushed()
    const [get, head] = [await registry.get(path), await registry.head(path)]
    expect(head.bytes).toHaveLength(0)
    expect(contentHeaders(head)).toEqual(contentHeaders(get))
  })

  test('may be empty', async () => {
    const { registry, path } = await pushed(Buffer.alloc(0))
    const reply = await registry.get(path)
    expect(reply.status).toBe(200)
    expect(reply.header('content-length')).toBe('0')
  })

  test('may be asked for with an escaped digest', async () => {
    const { registry, path, bytes } = await pushed()
    expect((await registry.get(path.replace('sha256:', 'sha256%3A'))).bytes.equals(bytes)).toBe(
      true,
    )
  })

  test('echoes the registry that a mirror is asked for', async () => {
    const { registry, path } = await pushed()
    const reply = await registry.get(`${path}?ns=docker.io`)
    expect(reply.status).toBe(200)
    expect(reply.header('oci-namespace')).toBe('docker.io')
    expect((await registry.get(`${path}?ns=a%0d%0ab`)).header('oci-namespace')).toBeNull()
    expect((await registry.get(path)).header('oci-namespace')).toBeNull()
  })

  test('is there only through a repository that has it', async () => {
    const { registry, digest, path } = await pushed()
    const elsewhere = `/v2/${registry.repository()}/blobs/${digest}`
    expectRefusal(await registry.get(elsewhere), 404, 'BLOB_UNKNOWN')
    expect((await registry.head(elsewhere)).status).toBe(404)
    expect((await registry.get(path)).status).toBe(200)
  })

  test('that nobody has is unknown', async () => {
    const path = `/v2/${at.registry.repository()}/blobs/${digestOf(fresh(9))}`
    expectRefusal(await at.registry.get(path), 404, 'BLOB_UNKNOWN')
    expectRefusal(await at.registry.delete(path), 404, 'BLOB_UNKNOWN')
  })
})

describe('conditions', () => {
  test('an unchanged blob is not sent again', async () => {
    const { registry, digest, path } = await pushed()
    for (const tag of [`"${digest}"`, `W/"${digest}"`, `"other", "${digest}"`, '*']) {
      for (const method of ['GET', 'HEAD']) {
        const reply = await registry.ask(method, path, { headers: { 'if-none-match': tag } })
        expect([reply.status, reply.bytes.length]).toEqual([304, 0])
        expect(reply.header('etag')).toBe(`"${digest}"`)
      }
    }
    expect((await registry.get(path, { 'if-none-match': '"other"' })).status).toBe(200)
  })

  test('a range of something else is the whole of what is here', async () => {
    const { registry, digest, path } = await pushed()
    const statusWith = async (tag: string) =>
      (await registry.get(path, { range: 'bytes=0-9', 'if-range': tag })).status
    expect(await statusWith(`"${digest}"`)).toBe(206)
    expect(await statusWith('"other"')).toBe(200)
    expect(await statusWith(`W/"${digest}"`)).toBe(200)
  })
})

describe('ranges', () => {
  test.each([
    ['bytes=500-1499', 500, 1499],
    ['bytes=0-0', 0, 0],
    ['bytes=500-', 500, 2047],
    ['bytes=-500', 1548, 2047],
    ['bytes=-99999', 0, 2047],
    ['bytes=2000-5000', 2000, 2047],
    ['bytes=2047-2047', 2047, 2047],
    ['BYTES=1-2', 1, 2],
  ])('%s is answered with what it names', async (range, first, last) => {
    const { registry, bytes, path } = await pushed()
    const reply = await registry.get(path, { range })
    expect(reply.status).toBe(206)
    expect(reply.header('content-range')).toBe(`bytes ${first}-${last}/${size}`)
    expect(reply.header('content-length')).toBe(String(last - first + 1))
    expect(reply.bytes.equals(bytes.subarray(first, last + 1))).toBe(true)
    const head = await registry.head(path, { range })
    expect(head.status).toBe(206)
    expect(contentHeaders(head)).toEqual(contentHeaders(reply))
  })

  test.each(['bytes=500-0', 'bytes=5000-10000', 'bytes=2048-', 'bytes=-0'])(
    '%s cannot be satisfied, and the size is told',
    async (range) => {
      const { registry, path } = await pushed()
      const reply = await registry.get(path, { range })
      expectRefusal(reply, 416, 'BLOB_UPLOAD_INVALID')
      expect(reply.header('content-range')).toBe(`bytes */${size}`)
    },
  )

  test.each(['bytes=a-b', 'lines=0-9', 'bytes', 'bytes=-', 'bytes=0-9;1', 'bytes=0-2047,0-2047'])(
    '%s is nothing to go by: the whole is sent',
    async (range) => {
      const { registry, bytes, path } = await pushed()
      const reply = await registry.get(path, { range })
      expect(reply.status).toBe(200)
      expect(reply.bytes.equals(bytes)).toBe(true)
    },
  )

  test('several come as parts of one answer, in the order that was asked for', async () => {
    const { registry, bytes, path } = await pushed()
    const reply = await registry.get(path, { range: 'bytes=1000-1009,0-4, -3' })
    expect(reply.status).toBe(206)
    expect(reply.header('content-length')).toBe(String(reply.bytes.length))
    const boundary = /^multipart\/byteranges; boundary=(.+)$/.exec(
      reply.header('content-type') ?? '',
    )?.[1]
    const wanted = [
      [1000, 1009],
      [0, 4],
      [2045, 2047],
    ] as const
    const parts = wanted.map(([first, last]) =>
      Buffer.concat([
        Buffer.from(
          `\r\n--${boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes ${first}-${last}/${size}\r\n\r\n`,
        ),
        bytes.subarray(first, last + 1),
      ]),
    )
    const all = Buffer.concat([...parts, Buffer.from(`\r\n--${boundary}--\r\n`)])
    expect(reply.bytes.equals(all)).toBe(true)
  })

  test('of an empty blob there are none', async () => {
    const { registry, path } = await pushed(Buffer.alloc(0))
    const reply = await registry.get(path, { range: 'bytes=0-' })
    expect(reply.status).toBe(416)
    expect(reply.header('content-range')).toBe('bytes */0')
  })
})
