import { once } from 'node:events'
import { expect } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { within } from '../support/deadline.ts'
import { inTurns, openDoor, type Door } from '../support/door.ts'
import { expectOnly } from '../support/leftovers.ts'
import type { Random } from '../support/random.ts'
import { opened } from '../support/raw-http.ts'
import { get, send } from '../support/rest.ts'
import { descriptors, memoryOf } from '../support/slow-clients.ts'
import { tryOut } from './trial.ts'

/** Connections of a round, and at the same time. */
const ofRound = 500
const atOnce = 25
/** What may be open beside what was open before: a database reopens a file, a pool keeps one. */
const files = 10
/** Of the service, over what it took after the first round. */
const memory = 192 * mebibyte
/** Milliseconds to the first bytes of an answer, and to the end of all that was broken off. */
const patience = 30_000

const bytes = disk(4 * mebibyte)
const inFlight = /^slipway_http_requests_in_flight\{.*\} (\d+)$/gm

tryOut('door-aborts', async (trial) => {
  await using door = await openDoor()
  const { rest, pid, folder } = door.service
  await send(await rest.createUpload('large'), bytes)
  const taken = new URL(await rest.createUpload('taken')).pathname
  const before = await descriptors(pid)
  let level: number | null = null
  for (const { random } of trial.rounds()) {
    const requests = await requestsOf(door, taken)
    const all = Array.from({ length: ofRound }, () => random.pick(requests))
    await inTurns(all, atOnce, async (request) => {
      trial.note(`broken off in ${await breakOff(door, request, random)}`)
      trial.tried += 1
    })
    await expectIdle(door)
    await expect
      .poll(() => descriptors(pid), { timeout: patience })
      .toBeLessThanOrEqual(before + files)
    door.service.logs.forget()
    level ??= await memoryOf(pid)
    expect(await memoryOf(pid), 'bytes of memory').toBeLessThan(level + memory)
    const pulled = await get(rest.url('/large/disk'))
    expect(Buffer.from(await pulled.arrayBuffer()).equals(bytes)).toBe(true)
  }
  await rest.delete('taken')
  await expect
    .poll(() => failureOf(expectOnly(folder, ['large'])), { timeout: patience })
    .toBeNull()
})

/** Whole requests, which are never sent to their last byte where that would change anything. */
async function requestsOf(
  { service }: Door,
  pathname: string,
): Promise<readonly [string, ...string[]]> {
  const { rest } = service
  const etag = (await get(rest.url('/large'))).headers.get('etag') ?? ''
  const { digest } = (await rest.image('large')).status.target ?? {}
  const body = bytes.subarray(0, 256 * 1024).toString('latin1')
  const long = `Content-Length: ${bytes.length}\r\n`
  const chunks = 'Transfer-Encoding: chunked\r\n'
  const json = 'Content-Type: application/json\r\n'
  const blob = `/v2/shelf/blobs/uploads/?digest=${digestOf(bytes)}`
  return [
    headOf('GET /'),
    headOf('GET /docs'),
    headOf('GET /metrics'),
    headOf('GET /openapi.json'),
    headOf('GET /readyz'),
    headOf('GET /api/v1/images'),
    headOf('GET /api/v1/images/large'),
    headOf('GET /api/v1/images/large?wait=20s', `If-None-Match: ${etag}\r\n`),
    headOf('GET /api/v1/images/large/disk'),
    headOf('GET /api/v1/images/large/disk', 'Range: bytes=1000000-2000000\r\n'),
    headOf('GET /api/v1/images/large/events'),
    headOf('GET /api/v1/events'),
    headOf('GET /api/v1/storage'),
    headOf('GET /v2/'),
    headOf('GET /v2/_catalog'),
    headOf('GET /v2/cvi/large/tags/list'),
    headOf('GET /v2/cvi/large/manifests/latest'),
    headOf(`GET /v2/cvi/large/blobs/${digest}`),
    headOf(`GET ${pathname}`),
    headOf(`HEAD ${pathname}`),
    headOf('POST /api/v1/images', `${json}Content-Length: 5000\r\n`, `{"name":"${'x'.repeat(300)}`),
    headOf('POST /api/v1/probe', `${json}Content-Length: 5000\r\n`, '{'),
    headOf(`PUT ${pathname}`, long, body),
    headOf(`PUT ${pathname}`, chunks, `${body.length.toString(16)}\r\n${body}\r\n`),
    headOf(`PUT ${pathname}`, `${long}Expect: 100-continue\r\n`, body),
    headOf(`PATCH ${pathname}`, `${long}Upload-Offset: 0\r\nTus-Resumable: 1.0.0\r\n`, body),
    headOf(`POST ${blob}`, long, body),
    headOf(`POST ${blob}`, chunks, `${body.length.toString(16)}\r\n${body}\r\n`),
    headOf('PUT /v2/shelf/manifests/latest', 'Content-Length: 5000\r\n', '{"schemaVersion":2'),
    headOf('PATCH /v2/shelf/blobs/uploads/gone', long, body),
  ]
}

function headOf(what: string, fields = '', body = ''): string {
  return `${what} HTTP/1.1\r\nHost: 127.0.0.1\r\n${fields}\r\n${body}`
}

/** @returns where */
async function breakOff({ where }: Door, request: string, random: Random): Promise<string> {
  const socket = await opened(where)
  const broken = new Promise<void>((close) => {
    // The server may break it, too.
    socket.on('error', () => {}).once('close', () => close())
  })
  const isWhole = random.below(2) === 0
  const sent = isWhole ? request.length : random.below(request.length)
  const heard = once(socket, 'data').catch(() => [])
  socket.write(Buffer.from(request.slice(0, sent), 'latin1'))
  const hasHead = request.indexOf('\r\n\r\n') + 4
  // What has no whole body may wait for that, and what is asked to wait does.
  if (isWhole && hasHead === request.length && !request.includes('wait=')) {
    await within(patience, 'the beginning of an answer', Promise.race([heard, broken]))
  }
  if (random.below(2) === 0) socket.resetAndDestroy()
  else socket.destroy()
  await within(patience, 'the end of a connection', broken)
  if (sent < hasHead) return 'a head'
  return sent === hasHead ? 'an answer' : 'a body'
}

/** Nobody works for those who have gone. */
async function expectIdle({ service: { base } }: Door): Promise<void> {
  const running = async () => {
    const text = await (await get(`${base}/metrics`)).text()
    return [...text.matchAll(inFlight)].reduce((sum, [, count]) => sum + Number(count), 0)
  }
  // The one that asks.
  await expect.poll(running, { timeout: patience }).toBeLessThanOrEqual(1)
}

async function failureOf(work: Promise<void>): Promise<string | null> {
  return await work.then(
    () => null,
    (error: unknown) => String(error),
  )
}
