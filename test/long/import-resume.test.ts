import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { disk, mebibyte } from '../support/disks.ts'
import {
  forever,
  startNeighbour,
  type Neighbour,
  type Play,
  type Script,
} from '../support/http-neighbour.ts'
import { expectNothing, expectOnly, stagedIn } from '../support/leftovers.ts'
import { get, type Rest } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

const size = 20 * mebibyte
const bytes = disk(size)
const at = Math.floor(size * 0.9)
/** A cut costs what was on its way, and what fills a block of the disk. */
const most = size * 1.05
const etag = '"1"'

/** Breaks off the first answer, and gives the rest from then on. */
const cut = (version: Pick<Script, 'etag' | 'lastModified'> = { etag }): Play => {
  return (nth) => ({
    bytes,
    ranges: 'honest',
    ...version,
    ...(nth === 1 ? { cut: { at, how: 'end' } } : {}),
  })
}

const sent = ({ requests }: Neighbour) => requests.reduce((sum, { sent }) => sum + sent, 0)
const ranges = ({ requests }: Neighbour) => requests.map(({ headers }) => headers.range ?? null)

async function diskOf(rest: Rest, name: string): Promise<Buffer> {
  return Buffer.from(await (await get(rest.url(`/${name}/disk`))).arrayBuffer())
}

async function expectWhole({ rest, folder }: Service, name: string, whole = bytes) {
  const { status } = await rest.ready(name)
  expect(status.source?.sha256).toBe(digestOf(whole).slice('sha256:'.length))
  expect(status.source?.bytes).toBe(String(whole.length))
  await expectOnly(folder, [name])
}

/** How much survives a crash, by the small file beside the bytes. */
async function durable({ folder }: Service): Promise<number> {
  const staging = join(folder, 'staging')
  const [id = ''] = await readdir(staging)
  return Number(await readFile(join(staging, id, 'offset'), 'latin1').catch(() => '0'))
}

describe('an import that breaks off goes on where it stopped', () => {
  test('when the network cuts it', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    const url = neighbour.serve('/image', cut())
    await service.rest.createFrom('cut', url)
    await expectWhole(service, 'cut')
    expect((await diskOf(service.rest, 'cut')).equals(bytes)).toBe(true)
    expect(sent(neighbour)).toBeLessThan(most)
    const [, second] = neighbour.requests
    expect(second?.headers).toMatchObject({
      range: expect.stringMatching(/^bytes=\d+-$/),
      'if-range': etag,
    })
  })

  test.each(['kill -9', 'SIGTERM'])('when the service ends by %s', async (how) => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    const { rest } = service
    const url = neighbour.serve('/image', (nth) => ({
      bytes,
      etag,
      ranges: 'honest',
      ...(nth === 1 ? { pause: { at, until: forever } } : {}),
    }))
    await rest.createFrom('cut', url)
    await rest.until('cut', ({ status }) => status.receivedBytes === String(at))
    if (how === 'SIGTERM') await service.stop()
    else {
      await expect.poll(() => durable(service), { timeout: 10_000 }).toBeGreaterThan(at * 0.97)
      await service.kill()
    }
    await service.start()
    const resumed = await rest.image('cut')
    expect(resumed.status.phase).toMatch(/^(?:Pending|Provisioning|Ready)$/)
    await expectWhole(service, 'cut')
    expect(sent(neighbour)).toBeLessThan(most)
  })

  test('when all of it is here, and the end of its layer, too', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    const whole = at - 512
    const url = neighbour.serve('/image', (nth) => ({
      bytes: nth === 1 ? bytes : bytes.subarray(0, whole),
      etag,
      ranges: 'honest',
      ...(nth === 1 ? { pause: { at, until: forever } } : {}),
    }))
    await service.rest.createFrom('cut', url)
    await service.rest.until('cut', ({ status }) => status.receivedBytes === String(at))
    await service.stop()
    const catalog = new Database(join(service.folder, 'catalog.sqlite'))
    catalog.prepare('UPDATE jobs SET size = ?').run(whole)
    catalog.close()
    await service.start()
    await expectWhole(service, 'cut', bytes.subarray(0, whole))
    expect(ranges(neighbour)).toEqual([null, `bytes=${whole - 1}-`])
  })

  test('however often it breaks, as long as it gets on', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService({ SLIPWAY_IMPORT_RETRY_FOR: '1s' })
    const step = 5 * mebibyte
    const url = neighbour.serve('/image', (nth) => ({
      bytes,
      etag,
      ranges: 'honest',
      ...(nth < 4 ? { cut: { at: step, how: 'end' } } : {}),
    }))
    await service.rest.createFrom('cut', url)
    await expectWhole(service, 'cut')
    expect(sent(neighbour)).toBeLessThan(most)
    expect(neighbour.requests).toHaveLength(4)
  })

  test('by its date where there is no strong ETag', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    const lastModified = 'Wed, 21 Oct 2015 07:28:00 GMT'
    const url = neighbour.serve('/image', cut({ etag: 'W/"1"', lastModified }))
    await service.rest.createFrom('cut', url)
    await expectWhole(service, 'cut')
    expect(neighbour.requests[1]?.headers['if-range']).toBe(lastModified)
    expect(sent(neighbour)).toBeLessThan(most)
  })

  test('also inside a wrapping, where the disk begins anew', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    const wrapped = gzipSync(bytes, { level: 1 })
    const half = Math.floor(wrapped.length / 2)
    const url = neighbour.serve('/image.gz', (nth) => ({
      bytes: wrapped,
      etag,
      ranges: 'honest',
      ...(nth === 1 ? { cut: { at: half, how: 'reset' } } : {}),
    }))
    await service.rest.createFrom('cut', url)
    const { status } = await service.rest.ready('cut')
    expect(status.source).toMatchObject({
      bytes: String(wrapped.length),
      sha256: digestOf(wrapped).slice('sha256:'.length),
    })
    expect((await diskOf(service.rest, 'cut')).equals(bytes)).toBe(true)
    await expectOnly(service.folder, ['cut'])
    expect(sent(neighbour)).toBeLessThan(wrapped.length * 1.3)
  })

  test('when all of it is here and the service is killed before the end', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    const { rest } = service
    // The last byte comes, the end of the answer does not.
    const url = neighbour.serve('/image', (nth) => ({
      bytes,
      etag,
      ranges: 'honest',
      framing: 'chunked',
      ...(nth === 1 ? { pause: { at: size, until: forever } } : {}),
    }))
    await rest.createFrom('cut', url)
    await rest.until('cut', ({ status }) => status.receivedBytes === String(size))
    await service.stop()
    await service.start()
    await expectWhole(service, 'cut')
    expect(sent(neighbour)).toBeLessThan(most)
  })
})

describe('an import that breaks off begins again', () => {
  test.each(['another file', 'a source that knows no ranges'])('for %s', async (what) => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    const other = disk(size, 7)
    const isOther = what === 'another file'
    const url = neighbour.serve('/image', (nth) => ({
      bytes: nth > 1 && isOther ? other : bytes,
      etag: nth > 1 && isOther ? '"2"' : etag,
      ...(nth === 1 || isOther ? { ranges: 'honest' } : {}),
      ...(nth === 1 ? { cut: { at, how: 'end' } } : {}),
    }))
    await service.rest.createFrom('cut', url)
    await expectWhole(service, 'cut', isOther ? other : bytes)
    expect((await diskOf(service.rest, 'cut')).equals(isOther ? other : bytes)).toBe(true)
  })

  test('where nothing tells whether the bytes are the same', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    const url = neighbour.serve('/image', cut({}))
    await service.rest.createFrom('cut', url)
    await expectWhole(service, 'cut')
    expect(ranges(neighbour)).toEqual([null, null])
  })
})

describe('what a broken import has left goes', () => {
  test.each(['deleted', 'given up'])('when the image is %s', async (how) => {
    await using neighbour = await startNeighbour()
    await using service = await startService({ SLIPWAY_IMPORT_RETRY_FOR: '10m' })
    const { rest } = service
    const url = neighbour.serve('/image', (nth) => ({
      ...(nth === 1 ? { bytes, etag, cut: { at, how: 'end' } } : {}),
      ...(nth > 1 ? { status: how === 'deleted' ? 503 : 404 } : {}),
    }))
    await rest.createFrom('cut', url)
    await rest.until('cut', ({ status }) => (status.retries ?? 0) > 0)
    if (how === 'deleted') expect(await stagedIn(service.folder)).not.toEqual([])
    else await rest.reaches('cut', 'Failed')
    if (how === 'given up') expect(await stagedIn(service.folder)).toEqual([])
    await rest.delete('cut')
    await expectNothing(service.folder)
  })
})
