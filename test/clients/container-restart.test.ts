import { describe, expect, test } from 'vitest'
import { probeSchema } from '../../src/serve/api/schema.ts'
import { tarOf } from '../fixtures/tar-by-hand.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startHostileRegistry, type Lie } from '../support/hostile-registry.ts'
import { forever } from '../support/http-neighbour.ts'
import { expectNothing, expectOnly, stagedIn } from '../support/leftovers.ts'
import { get, readiness } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

const bytes = disk(2 * mebibyte)
const half = mebibyte
const layer = tarOf({ name: 'disk/x.img', data: bytes })
const below = tarOf({ name: 'etc/motd', data: Buffer.from('hello\n') })

/** Stops in the middle of the first answer, and gives everything later. */
const halting: Lie = (honest) => (nth) =>
  nth === 1 ? { ...honest, pause: { at: half, until: forever } } : honest
const stalled: Lie = (honest) => ({ ...honest, pause: { at: half, until: forever } })

const source = (image: string) => ({ type: 'ContainerImage', containerImage: { image } }) as const

async function untilHalfIsIn({ rest, folder }: Service): Promise<void> {
  await rest.until('cut', ({ status }) => status.receivedBytes === String(half))
  expect(await stagedIn(folder)).not.toEqual([])
}

async function expectDisk({ rest, folder }: Service): Promise<void> {
  const read = await get(rest.url('/cut/disk'))
  expect(Buffer.from(await read.arrayBuffer()).equals(bytes)).toBe(true)
  await expectOnly(folder, ['cut'])
}

describe('the import of a container image that was cut in the middle', () => {
  test.each(['kill -9', 'SIGTERM'])('by %s gets Ready after the next start', async (how) => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    const image = registry.image('1', [below, layer], { layers: [(honest) => honest, halting] })
    await service.rest.create('cut', source(image))
    await untilHalfIsIn(service)
    await (how === 'SIGTERM' ? service.stop() : service.kill())
    await registry.neighbour.idle()
    await service.start()
    const { status } = await service.rest.ready('cut')
    expect(status.source).toMatchObject({ image, bytes: String(bytes.length) })
    await expectDisk(service)
    await service.rest.delete('cut')
    await expectNothing(service.folder)
  })

  test('by a registry that breaks off goes on where it broke', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    const cut: Lie = (honest) => (nth) =>
      nth === 1 ? { ...honest, cut: { at: half, how: 'end' } } : honest
    const image = registry.image('1', [layer], { layers: [cut] })
    await service.rest.create('cut', source(image))
    await service.rest.ready('cut')
    const ranges = registry.requests.flatMap(({ headers }) => headers.range ?? [])
    expect(ranges).toEqual([expect.stringMatching(/^bytes=\d+-$/)])
    // What was still in a buffer when the connection broke is asked for again.
    const from = Number(ranges[0]?.replaceAll(/\D/g, ''))
    expect(from).toBeGreaterThan(0)
    expect(from).toBeLessThanOrEqual(half)
    await expectDisk(service)
  })

  test('waits for its next attempt over a restart', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    const busy: Lie = (honest) => (nth) =>
      nth === 1 ? { status: 503, headers: { 'retry-after': '1' } } : honest
    const image = registry.image('1', [layer], { manifest: busy })
    await service.rest.create('cut', source(image))
    const waiting = await service.rest.until('cut', ({ status }) => status.retries === 1)
    expect(readiness(waiting)).toMatchObject({
      reason: 'ProvisioningFailed',
      message: expect.stringMatching(/503 Service Unavailable/),
    })
    await service.stop()
    await service.start()
    await service.rest.ready('cut')
    await expectDisk(service)
  })
})

describe('deleting an image while it comes out of a registry', () => {
  test.each([
    ['manifest', (lie: Lie) => ({ manifest: lie })],
    ['configuration', (lie: Lie) => ({ config: lie })],
    ['layer', (lie: Lie) => ({ layers: [lie] })],
  ])('ends it while there is no answer for its %s', async (_what, of) => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    const arrived = Promise.withResolvers<void>()
    const silent: Lie = (honest) => () => {
      arrived.resolve()
      return { ...honest, pause: { at: 'head', until: forever } }
    }
    await service.rest.create('cut', source(registry.image('1', [layer], of(silent))))
    await arrived.promise
    await service.rest.delete('cut')
    await registry.neighbour.idle()
    await expectNothing(service.folder)
  })

  test('ends it in the middle of a layer, and frees the space', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    const image = registry.image('1', [layer], { layers: [stalled] })
    await service.rest.create('cut', source(image))
    await untilHalfIsIn(service)
    await service.rest.delete('cut')
    await registry.neighbour.idle()
    await expectNothing(service.folder)
  })

  test('ends it in the middle of a layer without the disk', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    const large = tarOf({ name: 'srv/large', data: bytes })
    const told = { layers: [(honest) => honest, stalled] } satisfies { layers: readonly Lie[] }
    await service.rest.create('cut', source(registry.image('1', [layer, large], told)))
    await service.rest.until('cut', ({ status }) => status.receivedBytes === String(half))
    await service.rest.delete('cut')
    await registry.neighbour.idle()
    await expectNothing(service.folder)
  })

  test('ends its retries', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    const busy: Lie = () => ({ status: 503, headers: { 'retry-after': '600' } })
    await service.rest.create('cut', source(registry.image('1', [layer], { manifest: busy })))
    await service.rest.until('cut', ({ status }) => status.retries === 1)
    await service.rest.delete('cut')
    await expectNothing(service.folder)
  })
})

describe('a probe of a container image', () => {
  async function probe(service: Service, image: string, signal: AbortSignal) {
    return await fetch(`${service.base}/api/v1/probe`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ dataSource: source(image) }),
      signal,
    })
  }

  test('ends with its client', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    const leaving = new AbortController()
    const leave: Lie = (honest) => () => {
      leaving.abort()
      return { ...honest, pause: { at: 'head', until: forever } }
    }
    const image = registry.image('1', [layer], { layers: [leave] })
    await expect(probe(service, image, leaving.signal)).rejects.toThrow(/abort/)
    await registry.neighbour.idle()
    await expectNothing(service.folder)
  })

  test('leaves no connection open', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    const image = registry.image('1', [tarOf({ name: 'disk/x.img', data: disk(30 * mebibyte) })])
    const answer = await probe(service, image, AbortSignal.timeout(30_000))
    expect(probeSchema.parse(await answer.json())).toMatchObject({
      accepted: true,
      complete: false,
    })
    await registry.neighbour.idle()
    await expectNothing(service.folder)
  })
})
