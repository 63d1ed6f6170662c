import { connect } from 'node:net'
import { rootCertificates } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { imageSchema } from '../../src/image/status.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { EventStream, Mirror, type Told } from '../support/event-source.ts'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { Random } from '../support/random.ts'
import { get, problemOf, send, type Image } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

const small = disk(4096)

const eventsOf = ({ base, rest }: Service, name?: string) =>
  name === undefined ? `${base}/api/v1/events` : rest.url(`/${name}/events`)

/** The deletion of an image of that name. */
const deletes =
  (name: string) =>
  ({ event, data }: Told) =>
    event === 'deleted' && data.startsWith(`{"name":"${name}"`)

describe('events', () => {
  const resources = new AsyncDisposableStack()
  let service: Service
  let neighbour: Neighbour
  beforeAll(async () => {
    neighbour = resources.use(await startNeighbour())
    service = resources.use(await startService())
  })
  afterAll(() => resources.disposeAsync())

  test('tell the life of an image in order, to whoever listens to all or to it alone', async () => {
    const { rest } = service
    await using all = await EventStream.open(eventsOf(service))
    expect(await all.next()).toEqual({ event: 'reset', data: '{}', id: '0' })
    const url = await rest.createUpload('one')
    await using alone = await EventStream.open(eventsOf(service, 'one'))
    await rest.createUpload('other')
    expect((await send(url, disk(mebibyte))).status).toBe(201)
    await rest.delete('one')
    const [mirror, own] = [await all.until(deletes('one')), await alone.until(deletes('one'))]
    expect([mirror.all.map(({ name }) => name), own.all]).toEqual([['other'], []])
    const ids = mirror.told.map(({ id }) => Number(id))
    expect(ids).toEqual(ids.toSorted((a, b) => a - b))
    expect(own.told.at(-1)).toEqual(mirror.told.at(-1))
    const phases = mirror.phasesOf('one')
    expect([phases[0], phases.includes('Ready')]).toEqual(['WaitForUserUpload', true])
    await rest.delete('other')
  })

  test('are a stream that nobody keeps, and take no other method', async () => {
    const head = await fetch(eventsOf(service), { method: 'HEAD' })
    expect(head.status).toBe(200)
    expect(Object.fromEntries(head.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    const post = await fetch(eventsOf(service), { method: 'POST' })
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    const nowhere = await get(eventsOf(service, 'nowhere'))
    expect([nowhere.status, (await problemOf(nowhere)).code]).toEqual([404, 'IMAGE_NOT_FOUND'])
    expect((await get(`${eventsOf(service)}?since=1`)).status).toBe(422)
  })

  test('go on behind what a client names, in the header or the query, and else begin anew', async () => {
    const { rest } = service
    await rest.createUpload('known')
    await using first = await EventStream.open(eventsOf(service))
    const { parser } = await first.until(({ id }) => id !== '').then(() => first)
    await rest.delete('known')
    for (const [id, query] of [
      [parser.lastId, ''],
      ['', `?lastEventId=${parser.lastId}`],
    ] as const) {
      await using stream = await EventStream.open(eventsOf(service) + query, id)
      expect((await stream.until(deletes('known'))).phasesOf('known')).toEqual(['deleted'])
      await using alone = await EventStream.open(eventsOf(service, 'known') + query, id)
      expect((await alone.until(deletes('known'))).phasesOf('known')).toEqual(['deleted'])
    }
    for (const id of ['999999999', 'x', '-1']) {
      await using stream = await EventStream.open(eventsOf(service), id)
      expect(await stream.next()).toMatchObject({ event: 'reset' })
    }
  })

  test.each([1, 2])('lead to what is there, wherever they break (seed %i)', async (seed) => {
    const random = new Random(seed)
    const source = neighbour.serve('/small', { bytes: small })
    const life = liveAtRandom(service, source, new Random(seed + 100), `fence-${seed}`)
    const mirror = new Mirror()
    let [lastId, resumed, isOver] = ['', 0, false]
    while (!isOver) {
      await using stream = await EventStream.open(eventsOf(service), lastId)
      for (let left = 1 + random.below(12); left > 0 && !isOver; left -= 1) {
        const told = await stream.next()
        if (!told) throw new Error('the stream ended')
        mirror.take(told)
        isOver = deletes(`fence-${seed}`)(told)
      }
      if (lastId !== '' && lastId !== stream.parser.lastId) resumed += 1
      lastId = stream.parser.lastId
    }
    await life
    expect(mirror.all).toEqual((await service.rest.list()).items)
    expect(resumed).toBeGreaterThan(3)
    for (const { name } of mirror.all) await service.rest.delete(name)
  })
})

/** Images that come, get Ready and go, until nothing moves any more; then one that says so by its end. */
async function liveAtRandom({ rest }: Service, source: string, random: Random, fence: string) {
  const there = new Map<string, string | null>()
  const act = async (name: string) => {
    const url = there.get(name)
    const turn = random.below(4)
    if (url === undefined && turn > 1) there.set(name, await rest.createUpload(name))
    else if (url === undefined)
      await rest.createFrom(name, source).then(() => there.set(name, null))
    else if (typeof url === 'string' && turn > 0) {
      await send(url, small)
      there.set(name, null)
    } else await rest.delete(name).then(() => there.delete(name))
  }
  for (let step = 0; step < 40; step += 1) await act(random.pick(['a', 'b', 'c', 'd', 'e']))
  for (const [name, url] of there) if (url === null) await rest.ready(name)
  await rest.createUpload(fence)
  await rest.delete(fence)
}

describe('progress', () => {
  test('of an import is told every second, by events and to who waits, and its end at once', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    const { rest } = service
    const bytes = disk(2 * mebibyte)
    const { promise: goOn, resolve } = Promise.withResolvers<void>()
    await rest.createFrom(
      'slow',
      neighbour.serve('/slow', { bytes, pause: { at: mebibyte, until: goOn } }),
    )
    await using stream = await EventStream.open(eventsOf(service))
    const polled = poll(rest.url('/slow'))
    const mirror = new Mirror()
    let moves = 0
    await stream.until(({ id }) => {
      // Progress has no place of its own in the order.
      const isMove = id === mirror.told.at(-2)?.id
      if (isMove && mirror.images.get('slow')?.status.remaining !== undefined) moves += 1
      return moves === 2
    }, mirror)
    expect(mirror.images.get('slow')?.status).toMatchObject({
      phase: 'Provisioning',
      progress: '50%',
      receivedBytes: String(mebibyte),
      remaining: expect.stringMatching(/^\d+[ms]/),
      remainingSeconds: expect.any(Number),
    })
    // Three changes of state, and not more for progress than seconds have gone by until the second look.
    expect(polled.answers).toBeLessThan(8)
    resolve()
    const ready = await polled.ready
    await stream.until(() => mirror.images.get('slow')?.status.phase === 'Ready', mirror)
    expect(mirror.all).toEqual([ready])
    expect(ready.status).not.toHaveProperty('remaining')
  })
})

/** Asks again with each answer's ETag until the image is Ready. */
function poll(url: string) {
  const polled = { answers: 0, ready: until() }
  async function until(): Promise<Image> {
    for (let etag = '""'; ;) {
      const answer = await get(`${url}?wait=10s`, { 'if-none-match': etag })
      polled.answers += 1
      etag = answer.headers.get('etag') ?? ''
      const image = imageSchema.parse(await answer.json())
      if (image.status.phase === 'Ready') return image
    }
  }
  return polled
}

describe('a service that stops', () => {
  test('ends all streams, read or not, and the next one goes on where they were', async () => {
    await using neighbour = await startNeighbour()
    // Another start is another port, which images would show.
    await using service = await startService({ SLIPWAY_REGISTRY_HOST: 'registry.example.com' })
    const { rest } = service
    const bundle = Buffer.from(rootCertificates[0] ?? '')
      .toString('base64')
      .padEnd(250_000)
    const http = { url: neighbour.url('/nothing'), caBundle: bundle }
    // More than both systems hold of a connection that nobody reads.
    const count = 24
    for (let nth = 0; nth < count; nth += 1) await rest.create(`big-${nth}`, { type: 'HTTP', http })
    const { hostname, port } = new URL(service.base)
    const stuck = connect(Number(port), hostname)
    stuck.write('GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
    await using stream = await EventStream.open(eventsOf(service))
    const mirror = new Mirror()
    const failed = () => mirror.all.filter(({ status }) => status.phase === 'Failed')
    await stream.until(({ id }) => id !== '' && failed().length === count, mirror)
    await service.stop()
    await endOf(stream, mirror)
    stuck.destroy()
    await service.start()
    await rest.createUpload('new')
    await using again = await EventStream.open(eventsOf(service), stream.parser.lastId)
    await again.until(() => mirror.images.has('new'), mirror)
    expect(mirror.told.filter(({ event }) => event === 'reset')).toHaveLength(1)
    expect(mirror.all).toEqual((await rest.list()).items)
  })
})

async function endOf(stream: EventStream, mirror: Mirror): Promise<void> {
  for (let told = await stream.next(); told; told = await stream.next()) mirror.take(told)
}
