import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { forever, startNeighbour } from '../support/http-neighbour.ts'
import { expectNothing } from '../support/leftovers.ts'
import { openBeside } from '../support/place.ts'
import { get } from '../support/rest.ts'
import { serveOn, startService } from '../support/service.ts'
import { attempt } from '../support/shell.ts'
import { bytes, half, untilHalfIsIn } from '../support/restarts.ts'
import { request } from '../support/wire.ts'

describe('what a crash left', () => {
  test('of an import is deleted as any other, once the service is back', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    const url = neighbour.serve('/image', { bytes, pause: { at: half, until: forever } })
    await service.rest.createFrom('cut', url)
    await untilHalfIsIn(service, 'cut')
    await service.kill()
    await service.start()
    await service.rest.delete('cut')
    await expectNothing(service.folder)
  })

  test('half-written is removed', async () => {
    await using service = await startService()
    await service.kill()
    await using store = await openBeside(service.folder)
    const stray = await store.stage()
    await stray.append([bytes], AbortSignal.timeout(20_000))
    await stray.flush()
    await stray.leave()
    await service.start()
    await expectNothing(service.folder)
  })
})

describe('a second service', () => {
  test('on the same folder is refused with a sentence', async () => {
    await using service = await startService()
    const { args, env } = serveOn(service.folder)
    const { code, stderr } = await attempt(process.execPath, args, { env })
    expect(code).toBe(2)
    expect(stderr).toBe(
      `another Slipway is running on ${service.folder}; stop it first, or set SLIPWAY_DATA_DIR to another folder\n`,
    )
    expect((await get(`${service.base}/readyz`)).status).toBe(200)
  })

  test('on the same port is refused with a sentence', async () => {
    await using service = await startService()
    const { host } = new URL(service.base)
    const { args, env } = serveOn(join(service.folder, 'other'), { SLIPWAY_LISTEN: host })
    const { code, stderr } = await attempt(process.execPath, args, { env })
    expect(code).toBe(2)
    expect(stderr).toBe(
      `cannot listen on ${host} (EADDRINUSE); stop what listens there, or set SLIPWAY_LISTEN\n`,
    )
  })
})

describe('the service ends with exit code 0', () => {
  test('on SIGINT', async () => {
    await using service = await startService()
    await service.stop('SIGINT')
  })

  test('on SIGTERM, whoever waits for what', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    const { rest } = service
    const url = neighbour.serve('/image', { status: 503, headers: { 'retry-after': '600' } })
    await rest.createFrom('later', url)
    await rest.until('later', ({ status }) => status.retries === 1)
    await rest.createUpload('quiet')
    const etag = (await get(rest.url('/quiet'))).headers.get('etag') ?? ''
    using news = await request('GET', rest.url('/quiet?wait=60s'), { 'If-None-Match': etag })
    using wire = await request('PUT', await rest.createUpload('silent'), {
      'Content-Length': bytes.length,
    })
    await wire.send(bytes.subarray(0, half))
    // Answered after the one that waits was heard.
    await rest.reaches('silent', 'Provisioning')
    await service.stop()
    expect((await news.answer()).status).toBe(304)
  })
})
