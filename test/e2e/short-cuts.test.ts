import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { disk, mebibyte } from '../support/disks.ts'
import {
  forever,
  startNeighbour,
  type Neighbour,
  type Play,
  type Script,
} from '../support/http-neighbour.ts'
import { blobSizes, expectNothing, expectOnly } from '../support/leftovers.ts'
import { get, readiness, send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

const size = 2 * mebibyte
const bytes = disk(size)
const other = disk(size, 7)
const hex = (of: Uint8Array) => digestOf(of).slice('sha256:'.length)
const sha256 = hex(bytes)
const sha512 = digestOf(bytes, 'sha512').slice('sha512:'.length)
const etag = '"1"'
const lastModified = 'Wed, 21 Oct 2015 07:28:00 GMT'

const resources = new AsyncDisposableStack()
let service: Service
beforeAll(async () => {
  service = resources.use(await startService({ SLIPWAY_IMPORT_CONCURRENCY: '1' }))
})
afterAll(() => resources.disposeAsync())

let neighbour: Neighbour
beforeEach(async () => {
  neighbour = await startNeighbour()
})
afterEach(async () => {
  await neighbour[Symbol.asyncDispose]()
  for (const name of await service.rest.names()) await service.rest.delete(name)
  await expectNothing(service.folder)
})

const served = (play: Play) => neighbour.serve('/image', play)
const sent = () => neighbour.requests.map((request) => request.sent)
const heads = () => neighbour.requests.map(({ headers }) => headers)

async function create(name: string, url: string, http: object = {}) {
  return await service.rest.create(name, { type: 'HTTP', http: { url, ...http } })
}

async function take(name: string, url: string, http: object = {}) {
  await create(name, url, http)
  return await service.rest.ready(name)
}

/** Why it failed. */
async function failing(name: string): Promise<string> {
  return readiness(await service.rest.reaches(name, 'Failed')).message
}

async function expectDisk(name: string, whole = bytes): Promise<void> {
  const answer = await get(service.rest.url(`/${name}/disk`))
  expect(Buffer.from(await answer.arrayBuffer()).equals(whole)).toBe(true)
}

/** Layers that take more room than any manifest. */
async function layers(): Promise<number> {
  return (await blobSizes(service.folder)).filter((each) => each > mebibyte).length
}

describe('a URL that is stored already', () => {
  test.each([
    { version: { etag, lastModified }, asked: { 'if-none-match': etag } },
    { version: { lastModified }, asked: { 'if-modified-since': lastModified } },
  ])('costs no byte while the source says that nothing changed ($version)', async (row) => {
    const url = served({ bytes, ...row.version })
    const first = await take('first', url)
    const second = await take('second', url)
    const { progress, format, details, source } = first.status
    expect(second.status).toMatchObject({ progress, format, details, source })
    expect(source).toMatchObject({ url, sha256, bytes: String(size), ...row.version })
    expect(sent()).toEqual([size, 0])
    expect(heads()).toMatchObject([{}, row.asked])
    expect(await layers()).toBe(1)
    await service.rest.delete('first')
    await take('third', url)
    expect(sent()).toEqual([size, 0, 0])
    await expectOnly(service.folder, ['second', 'third'])
    await expectDisk('third')
  })

  test('is asked with what the new image gives to show', async () => {
    const url = served((_nth, { headers }) =>
      headers.authorization === 'Bearer right' ? { bytes, etag } : { status: 403 },
    )
    await take('first', url, { auth: { bearer: 'right' } })
    await create('wrong', url, { auth: { bearer: 'wrong' } })
    await create('without', url)
    for (const name of ['wrong', 'without']) expect(await failing(name)).toContain('403 Forbidden')
    await take('right', url, { auth: { bearer: 'right' } })
    expect(sent()).toEqual([size, 0, 0, 0])
  })

  test('is taken from the answer when that brings other bytes', async () => {
    const url = served((nth) => (nth === 1 ? { bytes, etag } : { bytes: other, etag: '"2"' }))
    await take('first', url)
    const { status } = await take('second', url)
    expect(status.source?.etag).toBe('"2"')
    expect(sent()).toEqual([size, size])
    await expectDisk('second', other)
  })

  const weak: Script = { bytes, etag: 'W/"1"' }
  test.each([
    ['under another query', { bytes, etag }, '?id=2', {}],
    ['whose ETag is weak', weak, '?id=1', {}],
    ['of which a sha512 is wanted, too', { bytes, etag }, '?id=1', { checksum: { sha512 } }],
  ] as const)('is fetched again, one %s', async (_which, script, query, http) => {
    const url = served(script)
    await take('first', `${url}?id=1`)
    await take('second', `${url}${query}`, http)
    expect(sent()).toEqual([size, size])
    expect(heads()[1]).not.toHaveProperty('if-none-match')
  })

  test('is fetched again when the 304 tells of another version', async () => {
    const url = served((nth) => ({ bytes, etag, headers: nth === 2 ? { etag: '"2"' } : {} }))
    await take('first', url)
    await take('second', url)
    expect(sent()).toEqual([size, 0, size])
    expect(heads()[2]).not.toHaveProperty('if-none-match')
  })

  test('fails with another checksum as it would have failed', async () => {
    const url = served({ bytes, etag })
    await take('first', url)
    await create('second', url, { checksum: { sha256: 'a'.repeat(64) } })
    expect(await failing('second')).toContain(`sha256 of the source is ${sha256}`)
  })

  test('is fetched again when its image is deleted meanwhile', async () => {
    const deleted = Promise.withResolvers<void>()
    const pause = { at: 'head', until: deleted.promise } as const
    const url = served((nth) => ({ bytes, etag, ...(nth === 2 ? { pause } : {}) }))
    await take('first', url)
    await create('second', url)
    await expect.poll(() => neighbour.count('/image')).toBe(2)
    await service.rest.delete('first')
    deleted.resolve()
    await service.rest.ready('second')
    expect(sent()).toEqual([size, 0, size])
    await expectOnly(service.folder, ['second'])
    await expectDisk('second')
  })
})

describe('bytes whose sha256 is known', () => {
  test('are not asked for, however they came', async () => {
    await send(await service.rest.createUpload('sent'), bytes)
    const url = served({ bytes })
    const checksum = { sha256: sha256.toUpperCase() }
    const { status } = await take('known', `${url}?token=x`, { checksum })
    expect(status).toMatchObject({
      progress: '100%',
      source: { url, sha256, bytes: String(size) },
    })
    expect(neighbour.connections).toBe(0)
    await service.rest.delete('sent')
    await expectOnly(service.folder, ['known'])
    await expectDisk('known')
  })

  test('are fetched when another checksum is wanted, too', async () => {
    await send(await service.rest.createUpload('sent'), bytes)
    await take('checked', served({ bytes }), { checksum: { sha256, sha512 } })
    expect(sent()).toEqual([size])
    expect(await layers()).toBe(1)
  })
})

/** Both short cuts wait in the queue while the service is killed; one image that they would be made of is gone then. */
test('short cuts are looked for anew when their turn comes', async () => {
  const { rest } = service
  await send(await rest.createUpload('sent'), bytes)
  await send(await rest.createUpload('gone'), other)
  const slow = neighbour.serve('/slow', (nth) => ({
    bytes,
    etag,
    ...(nth === 2 ? { pause: { at: 'head', until: forever } } : {}),
  }))
  await take('first', `${slow}?token=x`)
  await create('again', `${slow}?token=x`)
  await expect.poll(() => neighbour.count('/slow')).toBe(2)
  const url = served({ bytes: other })
  await create('known', url, { checksum: { sha256 } })
  await create('lost', url, { checksum: { sha256: hex(other) } })
  await rest.delete('gone')
  await service.kill()
  await service.start()
  for (const name of ['again', 'known', 'lost']) await rest.ready(name)
  expect(sent()).toEqual([size, 0, 0, size])
  await expectOnly(service.folder, ['again', 'first', 'known', 'lost', 'sent'])
})
