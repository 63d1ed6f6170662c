import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { forever, startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { expectNothing, expectOnly, expectStaged } from '../support/leftovers.ts'
import { openBeside } from '../support/place.ts'
import { get, readiness, send, uploadUrl } from '../support/rest.ts'
import { serveOn, startService, type Service } from '../support/service.ts'
import { attempt } from '../support/shell.ts'
import { request } from '../support/wire.ts'

const bytes = disk(2 * mebibyte)
const half = mebibyte

/** A source that stops in the middle of its first answer, and gives everything the second time. */
function halting(neighbour: Neighbour): string {
  const pause = { at: half, until: forever }
  return neighbour.serve('/image', (nth) => (nth === 1 ? { bytes, pause } : { bytes }))
}

async function untilHalfIsIn({ rest, folder }: Service, name: string): Promise<void> {
  await rest.until(name, ({ status }) => status.receivedBytes === String(half))
  await expectStaged(folder)
}

const pathOf = (url: string) => new URL(url).pathname

describe('an import that was cut in the middle', () => {
  test.each(['kill -9', 'SIGTERM'])('by %s gets Ready after the next start', async (how) => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    const { rest } = service
    await rest.createFrom('cut', halting(neighbour))
    await untilHalfIsIn(service, 'cut')
    await (how === 'SIGTERM' ? service.stop() : service.kill())
    await service.start()
    await rest.ready('cut')
    const read = await get(rest.url('/cut/disk'))
    expect(Buffer.from(await read.arrayBuffer()).equals(bytes)).toBe(true)
    await expectOnly(service.folder, ['cut'])
    await rest.delete('cut')
    await expectNothing(service.folder)
  })

  test('is deleted as any other, once the service is back', async () => {
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
})

describe('an upload that was cut in the middle', () => {
  test.each(['kill -9', 'SIGTERM'])('by %s can be sent again to the same token', async (how) => {
    await using service = await startService()
    const { rest } = service
    const before = await rest.createUpload('cut')
    using wire = await request('PUT', before, { 'Content-Length': bytes.length })
    await wire.send(bytes.subarray(0, half))
    await untilHalfIsIn(service, 'cut')
    wire.breakOff()
    await (how === 'SIGTERM' ? service.stop() : service.kill())
    await service.start()
    const image = await rest.image('cut')
    expect(image.status.phase).toBe('Provisioning')
    expect(readiness(image)).toMatchObject({
      reason: 'ProvisioningFailed',
      message: expect.stringMatching(/send (?:the file again|the rest with .+) to the same URL/),
    })
    expect((await send(service.base + pathOf(before), bytes)).status).toBe(201)
    await expectOnly(service.folder, ['cut'])
  })
})

describe('over a restart', () => {
  test.each(['kill -9', 'SIGTERM'])('by %s a waiting upload goes on waiting', async (how) => {
    await using service = await startService()
    const { rest } = service
    const before = await rest.createUpload('waiting')
    await (how === 'SIGTERM' ? service.stop() : service.kill())
    await service.start()
    const image = await rest.image('waiting')
    expect(image.status.phase).toBe('WaitForUserUpload')
    expect(pathOf(uploadUrl(image))).toBe(pathOf(before))
    expect((await send(uploadUrl(image), bytes)).status).toBe(201)
    await expectOnly(service.folder, ['waiting'])
  })

  test.each(['kill -9', 'SIGTERM'])('by %s a Ready image stays as it is', async (how) => {
    await using service = await startService({ SLIPWAY_REGISTRY_HOST: 'registry.example' })
    const { rest } = service
    await send(await rest.createUpload('stays'), bytes)
    const before = await rest.image('stays')
    await (how === 'SIGTERM' ? service.stop() : service.kill())
    await service.start()
    expect(await rest.image('stays')).toEqual(before)
    const read = await get(rest.url('/stays/disk'))
    expect(Buffer.from(await read.arrayBuffer()).equals(bytes)).toBe(true)
    await expectOnly(service.folder, ['stays'])
  })

  test('what a crash left half-written is removed', async () => {
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
