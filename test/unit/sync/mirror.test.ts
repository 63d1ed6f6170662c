import { on, once } from 'node:events'
import { createServer, IncomingMessage, ServerResponse } from 'node:http'
import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { Rest } from '../../../src/client/rest.ts'
import { Mirror } from '../../../src/sync/mirror.ts'

const log = pino({ level: 'silent' })

const pair = z.tuple([z.instanceof(IncomingMessage), z.instanceof(ServerResponse)])
type Connection = { readonly request: IncomingMessage; readonly response: ServerResponse }

/** A service that tells what the test says, and a mirror that listens to it. */
async function playing({ lostAfter = 10_000 } = {}) {
  const server = createServer()
  const requests = on(server, 'request')
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const base = `http://127.0.0.1:${address.port}`
  const rest = new Rest({ base, token: () => Promise.resolve(null), userAgent: 'test' })
  const mirror = new Mirror({ rest, log, now: Date.now, random: () => 0, lostAfter })
  const changes: (string | null)[] = []
  mirror.watch((name) => changes.push(name))
  let stop = new AbortController()
  let running = mirror.run(stop.signal)
  return {
    mirror,
    changes,
    async stop(): Promise<void> {
      stop.abort()
      await running
    },
    start(): void {
      stop = new AbortController()
      running = mirror.run(stop.signal)
    },
    async next(status = 200, type = 'text/event-stream'): Promise<Connection> {
      const [request, response] = pair.parse((await requests.next()).value)
      response.writeHead(status, { 'content-type': type })
      response.flushHeaders()
      return { request, response }
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function image(name: string, phase = 'Ready', owner: string | null = `owner of ${name}`) {
  const target = { registryURL: `registry/cvi/${name}` }
  const data = {
    name,
    uid: `uid of ${name}`,
    ...(owner !== null && { owner: { uid: owner } }),
    dataSource: { type: 'HTTP', http: { url: 'http://x/', caBundle: 'A'.repeat(1000) } },
    status: { phase, target, conditions: [] },
  }
  return `event: image\ndata: ${JSON.stringify(data)}\n`
}

test('a mirror holds what has an owner, without data sources, once all has been told', async () => {
  await using play = await playing()
  const { mirror, changes } = play
  const { request, response } = await play.next()
  expect(request.headers['last-event-id']).toBeUndefined()
  response.write(
    `event: reset\nid: \ndata: {}\n\n${image('a')}\n${image('loose', 'Ready', null)}\n`,
  )
  await expect.poll(() => mirror.size).toBe(1)
  expect([mirror.isSynced, changes]).toEqual([false, []])
  response.write(`${image('b', 'Provisioning')}id: 7\n\n`)
  await expect.poll(() => mirror.isSynced).toBe(true)
  expect(changes).toEqual([null])
  expect(mirror.get('a')).toEqual({
    name: 'a',
    uid: 'uid of a',
    ownerUid: 'owner of a',
    status: { phase: 'Ready', target: { registryURL: 'registry/cvi/a' }, conditions: [] },
  })
  expect(mirror.get('loose')).toBeNull()
  expect(mirror.lostSince).toBeNull()
})

test('a mirror follows changes, and passes over what it does not understand', async () => {
  await using play = await playing()
  const { mirror, changes } = play
  const { response } = await play.next()
  response.write(`event: reset\nid: 1\ndata: {}\n\n`)
  await expect.poll(() => mirror.isSynced).toBe(true)
  response.write(`${image('a', 'Provisioning')}id: 2\n\n${image('a', 'OfTomorrow')}id: 3\n\n`)
  response.write(`event: image\nid: 4\ndata: {"no": "image"\n\nevent: news\ndata: {}\n\n`)
  response.write(`event: deleted\nid: 5\ndata: {"name": "a", "uid": "an older one"}\n\n`)
  await expect.poll(() => changes).toEqual([null, 'a', 'a'])
  expect(mirror.get('a')?.status.phase).toBe('Provisioning')
  response.write(`event: deleted\nid: 6\ndata: {"name": "a", "uid": "uid of a"}\n\n`)
  await expect.poll(() => mirror.get('a')).toBeNull()
})

test('a mirror goes on behind the last event, and begins again where it was cut off in the whole', async () => {
  await using play = await playing()
  const { mirror, changes } = play
  const first = await play.next()
  first.response.write(`event: reset\nid: \ndata: {}\n\n${image('a')}\n${image('b')}id: 2\n\n`)
  await expect.poll(() => mirror.isSynced).toBe(true)
  first.response.destroy()
  const second = await play.next()
  expect(second.request.headers['last-event-id']).toBe('2')
  await expect.poll(() => mirror.lostSince).toBeNull()
  expect(changes).toEqual([null, null])
  second.response.end(`event: reset\nid: \ndata: {}\n\n${image('c')}\n`)
  const third = await play.next()
  expect(third.request.headers['last-event-id']).toBeUndefined()
  expect(['a', 'b', 'c'].map((name) => mirror.get(name)?.name)).toEqual(['a', 'b', 'c'])
  third.response.write(`event: reset\nid: \ndata: {}\n\n${image('b')}id: 9\n\n`)
  await expect.poll(() => mirror.size).toBe(1)
  expect(mirror.get('b')).not.toBeNull()
})

test('a mirror says when the service is away, why, and when it is back', async () => {
  await using play = await playing({ lostAfter: 50 })
  const { mirror, changes } = play
  const first = await play.next()
  first.response.write(`event: reset\nid: 1\ndata: {}\n\n`)
  await expect.poll(() => mirror.isSynced).toBe(true)
  first.response.destroy()
  const refused = await play.next(401)
  refused.response.end()
  await expect.poll(() => mirror.isAway).toBe(true)
  await expect.poll(() => mirror.trouble?.code).toBe('UNAUTHORIZED')
  expect(mirror.lostSince).not.toBeNull()
  const told = changes.length
  await play.next()
  await expect.poll(() => mirror.isAway).toBe(false)
  expect([mirror.trouble, mirror.lostSince]).toEqual([null, null])
  expect(changes.slice(told)).toEqual([null])
})

test('a mirror says anew why the service is away when it answers again and refuses', async () => {
  await using play = await playing({ lostAfter: 10 })
  const { mirror, changes } = play
  const first = await play.next(503)
  await expect.poll(() => mirror.isAway).toBe(true)
  expect(changes).toEqual([null])
  first.response.end()
  const second = await play.next(503)
  second.response.end()
  const refused = await play.next(401)
  expect(changes).toEqual([null])
  refused.response.end()
  await expect.poll(() => changes).toEqual([null, null])
  expect(mirror.trouble?.code).toBe('UNAUTHORIZED')
})

test('a mirror that listens again, after somebody else has led, shows nothing of what it knew before', async () => {
  await using play = await playing()
  const { mirror, changes } = play
  const first = await play.next()
  first.response.write(`event: reset\nid: \ndata: {}\n\n${image('a', 'Provisioning')}id: 2\n\n`)
  await expect.poll(() => mirror.isSynced).toBe(true)
  await play.stop()
  play.start()
  expect([mirror.isSynced, mirror.get('a')]).toEqual([false, null])
  const second = await play.next()
  expect(second.request.headers['last-event-id']).toBeUndefined()
  second.response.write(`event: reset\nid: \ndata: {}\n\n${image('a')}id: 9\n\n`)
  await expect.poll(() => mirror.get('a')?.status.phase).toBe('Ready')
  expect(changes).toEqual([null, null])
})

test('what answers with something else than events is not listened to', async () => {
  await using play = await playing({ lostAfter: 50 })
  const portal = await play.next(200, 'text/html')
  portal.response.end('<html>')
  await expect.poll(() => play.mirror.isAway).toBe(true)
  expect(play.mirror.trouble?.code).toBe('UNSUPPORTED')
})

test('streams that break off at once are opened ever more seldom', async () => {
  using timers = vi.spyOn(globalThis, 'setTimeout')
  await using play = await playing()
  for (let turn = 0; turn < 4; turn += 1) (await play.next()).response.end()
  const waits = timers.mock.calls.map(([, wait]) => wait)
  expect(waits).toEqual(expect.arrayContaining([100, 200, 400]))
})
