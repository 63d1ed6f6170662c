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
  test.each(['SIGTERM', 'SIGINT'] as const)('on %s', async (signal) => {
    await using service = await startService()
    await service.stop(signal)
  })

  test('while an import waits for its next attempt', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    const url = neighbour.serve('/image', { status: 503, headers: { 'retry-after': '600' } })
    await service.rest.createFrom('later', url)
    await service.rest.until('later', ({ status }) => status.retries === 1)
    await service.stop()
  })

  test('while somebody waits for news of an image', async () => {
    await using service = await startService()
    await service.rest.createUpload('quiet')
    const etag = (await get(service.rest.url('/quiet'))).headers.get('etag') ?? ''
    using news = await request('GET', service.rest.url('/quiet?wait=60s'), {
      'If-None-Match': etag,
    })
    // Answered after the one that waits was heard.
    await service.rest.image('quiet')
    await service.stop()
    expect((await news.answer()).status).toBe(304)
  })

  test('while the client of an upload keeps silent', async () => {
    await using service = await startService()
    const url = await service.rest.createUpload('silent')
    using wire = await request('PUT', url, { 'Content-Length': bytes.length })
    await wire.send(bytes.subarray(0, half))
    await service.rest.reaches('silent', 'Provisioning')
    await service.stop()
  })
})
