import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { pino } from 'pino'
import { expect } from 'vitest'
import { Health } from '../../src/sync/health.ts'
import { CompanionMetrics } from '../../src/sync/metrics.ts'
import { within } from '../support/deadline.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { needsOpenssl, openDoor, openTlsDoor, type Door } from '../support/door.ts'
import { exchange, opened, type Where } from '../support/raw-http.ts'
import { get, send } from '../support/rest.ts'
import { descriptors, memoryOf, SlowClient, type Way } from '../support/slow-clients.ts'
import { open as openWebhook } from '../unit/sync/webhook/open.ts'
import { certify } from '../unit/source/certificates.ts'
import { tryOut, type Trial } from './trial.ts'

const hasOpenssl = needsOpenssl()

/** Slow clients of each way, at each listener of the service and at each of the companion's. */
const ofWay = 50
const ofCompanion = 40
/** Milliseconds beyond a limit, on a busy machine. */
const late = 15_000
/** Limits as README has them, and those of the companion's listeners, in milliseconds. */
const limits = { head: 30_000, handshake: 20_000, body: 60_000, companion: 10_000 }
/** Whoever is not slow is answered within so many milliseconds, on a busy machine: long before any slow one is given up. */
const promptly = 15_000
/** What all slow clients together may take of the service's memory. */
const memory = 256 * mebibyte

tryOut('door-slow', async (trial) => {
  await using undo = new AsyncDisposableStack()
  const plain = undo.use(await openDoor())
  const doors = hasOpenssl ? [plain, undo.use(await openTlsDoor())] : [plain]
  const companion = await openCompanion(undo)
  const bytes = disk(32 * mebibyte)
  await send(await plain.service.rest.createUpload('large'), bytes)
  for (const { index } of trial.rounds()) {
    const before = await Promise.all(doors.map(({ service: { pid } }) => measured(pid)))
    // Who is told to read on by nobody stays for a minute: not in each round.
    const keepsBodies = index % 2 === 1
    await Promise.all([
      ...doors.map((door) => besiege(door, trial, keepsBodies)),
      ...companion.map((where) => besiegeCompanion(where, trial)),
      serveOthers(plain),
      takeSlowUpload(plain, `slow-${index}`),
    ])
    for (const [at, { service }] of doors.entries()) await expectFreed(service.pid, before[at])
    await plain.service.rest.delete(`slow-${index}`)
  }
})

type Measured = { readonly files: number; readonly bytes: number }

async function measured(pid: number): Promise<Measured> {
  return { files: await descriptors(pid), bytes: await memoryOf(pid) }
}

/** Everything that was taken for the slow ones is given back. */
async function expectFreed(pid: number, before: Measured | undefined): Promise<void> {
  const { files, bytes } = before ?? { files: 0, bytes: 0 }
  await expect.poll(() => descriptors(pid)).toBeLessThanOrEqual(files + 10)
  expect(await memoryOf(pid), 'bytes of memory').toBeLessThan(bytes + memory)
}

async function many(count: number, way: Way, where: Where, path: string): Promise<SlowClient[]> {
  return await Promise.all(Array.from({ length: count }, () => SlowClient.begin(way, where, path)))
}

/** All that is unfinished ends at its limit, by a word or by the mere end. */
async function besiege({ service, where }: Door, trial: Trial, keepsBodies: boolean) {
  const ways: readonly Way[] = where.isTls
    ? ['silent', 'head', 'handshake']
    : ['silent', 'head', 'half']
  const heads = await Promise.all(ways.map((way) => many(ofWay, way, where, '/healthz')))
  const bodies = await many(ofWay, 'body', where, '/api/v1/images')
  const unread = await many(10, 'unread', where, '/api/v1/images/large/disk')
  const { bytes } = await measured(service.pid)
  for (const client of heads.flat()) {
    const limit = client.way === 'handshake' ? limits.handshake : limits.head
    const { text } = await within(
      limit + late,
      `the end of one that is slow (${client.way})`,
      client.ended,
    )
    expect(text, client.way).toMatch(client.way === 'handshake' ? /^/ : /^(?:HTTP\/1\.1 408 |$)/)
    trial.tried += 1
  }
  expect(await memoryOf(service.pid), 'bytes of memory').toBeLessThan(bytes + memory)
  for (const client of bodies) {
    if (keepsBodies) {
      const { text } = await within(limits.body + late, 'the end of a slow body', client.ended)
      expect(text).toMatch(/^HTTP\/1\.1 408 /)
    }
    client[Symbol.dispose]()
    trial.tried += 1
  }
  for (const client of unread) client[Symbol.dispose]()
  trial.tried += unread.length
}

/** Listings and pulls while all that goes on. */
async function serveOthers({ service: { rest } }: Door): Promise<void> {
  const until = performance.now() + limits.head
  while (performance.now() < until) {
    const before = performance.now()
    expect(await rest.names()).toContain('large')
    const part = await get(rest.url('/large/disk'), { range: 'bytes=0-1048575' })
    expect((await part.arrayBuffer()).byteLength).toBe(mebibyte)
    expect(performance.now() - before, 'milliseconds for a listing and a pull').toBeLessThan(
      promptly,
    )
    await pause(500)
  }
}

/** One that moves is no slow client: it may take longer than any head, and gets its image. */
async function takeSlowUpload({ service, where }: Door, name: string): Promise<void> {
  const { pathname } = new URL(await service.rest.createUpload(name))
  const bytes = disk(mebibyte)
  const socket = await opened(where)
  const answered = once(socket, 'data')
  socket.write(
    `PUT ${pathname} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${bytes.length}\r\n\r\n`,
  )
  const until = performance.now() + limits.head + 5000
  let sent = 0
  while (performance.now() < until) {
    socket.write(bytes.subarray(sent, sent + 1))
    sent += 1
    await pause(500)
  }
  socket.write(bytes.subarray(sent))
  const [answer] = await within(late, 'the answer to a slow upload', answered)
  expect(String(answer)).toMatch(/^HTTP\/1\.1 201 /)
  socket.destroy()
}

/** The listeners of the companion: its health, and the one of its webhooks where there can be a certificate. */
async function openCompanion(undo: AsyncDisposableStack): Promise<readonly Where[]> {
  const log = pino({ level: 'silent' })
  const readiness = () => ({ isReady: true, lines: ['ok'] })
  const given = { metrics: new CompanionMetrics(), readiness, log }
  const health = undo.use(await Health.open({ host: '127.0.0.1', port: 0 }, given))
  const plain = { port: health.address.port, isTls: false }
  if (!hasOpenssl) return [plain]
  const { webhook } = undo.use(await openWebhook(await certify('IP:127.0.0.1')))
  return [plain, { port: webhook.address.port, isTls: true }]
}

async function besiegeCompanion(where: Where, trial: Trial): Promise<void> {
  const path = where.isTls ? '/validate-virtualmachines' : '/healthz'
  const ways: readonly Way[] = where.isTls
    ? ['silent', 'head', 'handshake', 'body']
    : ['silent', 'half', 'head']
  const clients = (await Promise.all(ways.map((way) => many(ofCompanion, way, where, path)))).flat()
  const asked = `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`
  // At the health those of one address are all the connections that there may be.
  const { answers } = await exchange({ ...where, from: '127.0.0.2' }, [Buffer.from(asked)])
  expect(answers.map(({ status }) => status)).toEqual([where.isTls ? 404 : 200])
  for (const client of clients) {
    await within(
      limits.companion + late,
      `the end of one that is slow (${client.way})`,
      client.ended,
    )
    trial.tried += 1
  }
}
