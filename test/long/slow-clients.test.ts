import { get as ask, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { within } from '../support/deadline.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { get, send } from '../support/rest.ts'
import { startService } from '../support/service.ts'
import { request, Wire } from '../support/wire.ts'

/** More than what both systems hold of a transfer that nobody reads. */
const bytes = disk(64 * mebibyte)

/** The head of an answer, whose body comes when it is read. */
async function begin(url: string): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    ask(url, { agent: false }, resolve).once('error', reject)
  })
}

async function halfAHead(base: string): Promise<Wire> {
  const { hostname, port } = new URL(base)
  const wire = new Wire(connect(Number(port), hostname))
  await wire.send('GET /healthz HTTP/1.1\r\nHost: ')
  return wire
}

describe('500 clients that send half a head', () => {
  test('keep nobody else waiting, and do not hold up the end', async () => {
    await using service = await startService()
    const slow = await Promise.all(Array.from({ length: 500 }, () => halfAHead(service.base)))
    const before = performance.now()
    expect((await get(`${service.base}/readyz`)).status).toBe(200)
    expect(performance.now() - before).toBeLessThan(1000)
    expect((await send(await service.rest.createUpload('quick'), disk(mebibyte))).status).toBe(201)
    await service.stop()
    for (const wire of slow) expect((await wire.answer()).text).toBe('')
  })
})

describe('a slow pull', () => {
  test('that SIGTERM meets in the middle comes to its end, and the service with it', async () => {
    await using service = await startService()
    const { rest, base } = service
    await send(await rest.createUpload('slow'), bytes)
    using idle = await request('GET', `${base}/healthz`, { Connection: 'keep-alive' })
    await idle.hears('200 OK')
    const pull = await begin(rest.url('/slow/disk'))
    const before = performance.now()
    const stopped = service.stop()
    await idle.answer()
    await expect(idle.send('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')).rejects.toThrow()
    await expect(fetch(`${base}/healthz`)).rejects.toThrow('fetch failed')
    expect(service.isRunning).toBe(true)
    const read = await within(10_000, 'the pull', buffer(pull))
    expect(read.equals(bytes)).toBe(true)
    await stopped
    expect(performance.now() - before).toBeLessThan(10_000)
  })
})
