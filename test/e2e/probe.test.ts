import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { probeSchema } from '../../src/serve/api/schema.ts'
import { iso } from '../fixtures/iso.ts'
import { noise } from '../fixtures/noise.ts'
import { qcow2 } from '../fixtures/qcow2.ts'
import { bytesAt } from '../fixtures/raw.ts'
import { vhdx } from '../fixtures/vhdx.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { forever, startNeighbour, type Neighbour, type Play } from '../support/http-neighbour.ts'
import { expectNothing } from '../support/leftovers.ts'
import { startService, type Service } from '../support/service.ts'

let neighbour: Neighbour
let service: Service
const resources = new AsyncDisposableStack()
beforeAll(async () => {
  neighbour = resources.use(await startNeighbour())
  service = resources.use(await startService({ SLIPWAY_MAX_IMAGE_SIZE: '64Mi' }))
})
afterAll(() => resources.disposeAsync())

async function post(body: unknown): Promise<Response> {
  return await fetch(`${service.base}/api/v1/probe`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  })
}

async function probe(play: Play) {
  const url = neighbour.serve('/file', play)
  const answer = await post({ dataSource: { type: 'HTTP', http: { url } } })
  expect(answer.status).toBe(200)
  return probeSchema.strict().parse(await answer.json())
}

const requests = () => neighbour.requests.splice(0)
const far = (file: Buffer, size: number) => Buffer.concat([file, noise(size - file.length)])

describe('a probe', () => {
  test('tells what a URL holds from its start and end, and keeps nothing', async () => {
    const bytes = far(qcow2(), 30 * mebibyte)
    requests()
    const modified = 'Tue, 03 Jun 2025 10:00:00 GMT'
    const found = await probe({ bytes, etag: '"one"', lastModified: modified, ranges: 'honest' })
    expect(found).toMatchObject({
      accepted: true,
      complete: true,
      format: 'qcow2',
      cdrom: false,
      bootable: 'unknown',
      wrapping: [],
      size: {
        source: '30Mi',
        sourceBytes: '31457280',
        unpacked: '1Gi',
        unpackedBytes: '1073741824',
      },
      details: { version: 3, compression: 'zlib' },
      ranges: true,
      revalidation: 'etag',
      source: { etag: '"one"', lastModified: modified },
    })
    const [, tail] = requests()
    expect(tail?.headers).toMatchObject({ range: 'bytes=31391744-', 'if-range': '"one"' })
    await expectNothing(service.folder)
  })

  test('follows what a header points to', async () => {
    const near = await probe({ bytes: far(vhdx(), 30 * mebibyte), ranges: 'honest' })
    expect(near).toMatchObject({ format: 'vhdx', complete: true, revalidation: 'none' })
    const late = iso({ sectors: 8000, platforms: [0, 0xef], catalogSector: 7000 })
    requests()
    const found = await probe({ bytes: late, ranges: 'honest' })
    expect(found).toMatchObject({ format: 'iso', bootable: 'yes', cdrom: true, complete: true })
    expect(requests().map(({ headers }) => headers.range)).toEqual([
      undefined,
      'bytes=14336000-',
      'bytes=16318464-',
    ])
  })

  test('says so when the end cannot be seen', async () => {
    const bytes = disk(20 * mebibyte)
    const whole = { format: 'raw', size: { unpackedBytes: '20971520' } }
    expect(await probe({ bytes, ranges: 'honest' })).toMatchObject({ ...whole, complete: true })
    const without = { ...whole, accepted: true, complete: false, ranges: false }
    expect(await probe({ bytes })).toMatchObject(without)
    const chunked = await probe({ bytes, framing: 'chunked' })
    expect(chunked).toMatchObject({ format: 'raw', complete: false, size: {} })
    expect(chunked).not.toHaveProperty('size.unpacked')
    const vague = await probe({ bytes: far(vhdx(), 30 * mebibyte) })
    expect(vague).toMatchObject({ format: 'vhdx', complete: false, ranges: false })
  })

  test('looks into wrappings', async () => {
    const long = await probe({ bytes: gzipSync(far(qcow2(), 8 * mebibyte)), ranges: 'honest' })
    expect(long).toMatchObject({
      accepted: true,
      complete: false,
      wrapping: ['gzip'],
      format: 'qcow2',
      size: { unpackedBytes: '1073741824' },
    })
    const short = await probe({ bytes: gzipSync(gzipSync(disk(mebibyte))) })
    expect(short).toMatchObject({ complete: true, wrapping: ['gzip', 'gzip'], format: 'raw' })
  })

  test('tells of a short file whether there are ranges', async () => {
    const bytes = disk(mebibyte)
    expect(await probe({ bytes, ranges: 'honest' })).toMatchObject({ complete: true, ranges: true })
    expect(await probe({ bytes })).toMatchObject({ complete: true, ranges: false })
  })

  test.each([
    [
      'a child of another disk',
      qcow2({ backingOffset: 512n, backingLength: 4 }),
      'EXTERNAL_REFERENCE',
    ],
    ['a login page', Buffer.from('<html><input type=password>'), 'NOT_AN_IMAGE'],
    ['nothing', Buffer.alloc(0), 'NOT_AN_IMAGE'],
    ['too much', Buffer.alloc(65 * mebibyte), 'TOO_LARGE'],
    ['a damaged archive', Buffer.from('1f8b0800ffff', 'hex'), 'CORRUPT_ARCHIVE'],
    [
      'a disk with another format at its end',
      Buffer.concat([far(qcow2(), 9 * mebibyte), bytesAt(0, 'koly', 512)]),
      'AMBIGUOUS_FORMAT',
    ],
  ])('refuses %s as an import would, and that is its answer', async (_what, bytes, code) => {
    const found = await probe({ bytes, ranges: 'honest' })
    expect(found).toMatchObject({ accepted: false, refusal: { code } })
    expect(found.refusal?.detail).not.toBe('')
    expect(found).not.toHaveProperty('format')
  })

  test('says that there are no ranges when the source answers a range with a failure', async () => {
    const bytes = disk(20 * mebibyte)
    for (const status of [403, 500]) {
      const found = await probe((nth) => (nth % 2 === 1 ? { bytes } : { status }))
      expect(found).toMatchObject({ accepted: true, complete: false, ranges: false, format: 'raw' })
    }
  })

  test('ends when the service stops', async () => {
    await using own = await startService()
    const arrived = Promise.withResolvers<void>()
    const url = neighbour.serve('/silent', () => {
      arrived.resolve()
      return { bytes: disk(mebibyte), pause: { at: 'head', until: forever } }
    })
    const body = JSON.stringify({ dataSource: { type: 'HTTP', http: { url } } })
    const headers = { 'content-type': 'application/json' }
    const answer = fetch(`${own.base}/api/v1/probe`, { method: 'POST', headers, body })
    await arrived.promise
    await own.stop()
    const told = await answer
    expect(told.status).toBe(503)
    expect(await told.json()).toMatchObject({ code: 'SHUTTING_DOWN' })
  })

  test('reads no further than it has to of an endless source', async () => {
    requests()
    const bytes = far(qcow2({ incompatible: 4n }), 40 * mebibyte)
    const found = await probe({ bytes, pause: { at: 300_000, until: forever } })
    expect(found).toMatchObject({ accepted: false, refusal: { code: 'EXTERNAL_REFERENCE' } })
    expect(requests()[0]?.sent).toBeLessThan(mebibyte)
  })

  test('fails as a request when the source fails, or is none', async () => {
    const missing = neighbour.serve('/missing', { status: 404 })
    const rows = [
      [{ type: 'HTTP', http: { url: missing } }, 422, 'SOURCE_REFUSED'],
      [{ type: 'HTTP', http: { url: 'http://169.254.169.254/x' } }, 422, 'SOURCE_FORBIDDEN'],
      [{ type: 'Upload' }, 422, 'UNSUPPORTED_SOURCE'],
      [{ type: 'HTTP' }, 422, 'INVALID_REQUEST'],
    ] as const
    for (const [dataSource, status, code] of rows) {
      const answer = await post({ dataSource })
      expect(answer.status).toBe(status)
      expect(await answer.json()).toMatchObject({ code })
    }
    expect((await fetch(`${service.base}/api/v1/probe`)).status).toBe(405)
  })
})
