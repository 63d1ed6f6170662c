import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { RegistryClient } from '../support/registry-client.ts'
import { get, readiness, send, type Image } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { needsSmallDisk, SmallDisk } from '../support/small-disk.ts'
import { request } from '../support/wire.ts'

const full = /the storage is full|the storage has only/

async function serviceOn(small: SmallDisk, variables = {}): Promise<Service> {
  const folder = join(small.path, 'data')
  await mkdir(folder)
  return await startService({ SLIPWAY_DATA_DIR: folder, ...variables })
}

async function upload({ rest }: Service, name: string, bytes: Buffer<ArrayBuffer>): Promise<void> {
  expect((await send(await rest.createUpload(name), bytes)).status).toBe(201)
}

async function digestRead({ rest }: Service, name: string): Promise<string> {
  const { body } = await get(rest.url(`/${name}/disk`))
  const hash = createHash('sha256')
  for await (const chunk of body ?? []) hash.update(chunk)
  return `sha256:${hash.digest('hex')}`
}

async function untilReadiness({ base }: Service, status: number): Promise<string> {
  for (;;) {
    const answer = await get(`${base}/readyz`)
    const text = await answer.text()
    if (answer.status === status) return text
  }
}

const isOut = (image: Image) => full.test(readiness(image).message)

describe.skipIf(!needsSmallDisk())('a disk that others fill', () => {
  test('fails what writes to it, and nothing else; when it is freed, all goes on without a restart', async () => {
    await using small = await SmallDisk.mount(320 * mebibyte)
    await using neighbour = await startNeighbour()
    await using service = await serviceOn(small)
    const { rest } = service
    const [kept, victim] = [disk(24 * mebibyte), disk(8 * mebibyte, 1)]
    await upload(service, 'kept', kept)
    await upload(service, 'victim', victim)

    const sent = disk(32 * mebibyte, 2)
    const door = await rest.createUpload('sent')
    using sending = await request('PUT', door, { 'Content-Length': sent.length })
    await sending.send(sent.subarray(0, 8 * mebibyte))
    const fetched = disk(32 * mebibyte, 3)
    const go = Promise.withResolvers<void>()
    const pause = { at: 8 * mebibyte, until: go.promise }
    const source = neighbour.serve('/fetched', (nth) =>
      nth === 1
        ? { bytes: fetched, pause, ranges: 'honest', etag: '"1"' }
        : { bytes: fetched, ranges: 'honest', etag: '"1"' },
    )
    await rest.createFrom('fetched', source)
    const registry = new RegistryClient(() => service.base)
    const pushed = disk(32 * mebibyte, 4)
    const session = await registry.begin('team/app')
    expect((await registry.append(session, pushed.subarray(0, 8 * mebibyte), 0)).status).toBe(202)
    await rest.until('fetched', ({ status }) => status.receivedBytes === String(8 * mebibyte))
    await rest.until('sent', ({ status }) => status.receivedBytes === String(8 * mebibyte))
    using reading = await request('GET', rest.url('/kept/disk'))
    await reading.hears('200 OK')

    await small.fill()
    expect(await untilReadiness(service, 503)).toMatch(full)
    await sending.send(sent.subarray(8 * mebibyte)).catch(() => {})
    const answer = await sending.answer()
    expect(answer.status).toBe(507)
    expect(answer.text).toMatch(full)
    go.resolve()
    const more = await registry.append(session, pushed.subarray(8 * mebibyte), 8 * mebibyte)
    expect(more.status).toBe(507)
    expect(await more.text()).toMatch(full)
    await rest.until('fetched', isOut)

    // What reads goes on, and what frees space does, too.
    expect((await reading.answer()).status).toBe(200)
    expect(await digestRead(service, 'kept')).toBe(digestOf(kept))
    expect(await rest.names()).toEqual(['fetched', 'kept', 'sent', 'victim'])
    await rest.delete('victim')
    expect((await get(rest.url('/victim'))).status).toBe(404)

    await small.free()
    expect(await untilReadiness(service, 200)).toBe('ok\n')
    const last = await registry.last(session)
    expect(last).not.toBeNull()
    const at = last === 0 ? 0 : (last ?? 0) + 1
    expect((await registry.append(session, pushed.subarray(at), at)).status).toBe(202)
    expect((await registry.finish(session, digestOf(pushed))).status).toBe(201)
    expect((await send(door, sent)).status).toBe(201)
    await rest.ready('fetched', 100_000)
    expect(await digestRead(service, 'fetched')).toBe(digestOf(fetched))
    expect(await digestRead(service, 'sent')).toBe(digestOf(sent))
    await upload(service, 'new', disk(mebibyte, 5))
  })

  test('lets images be deleted, however often others take what that frees', async () => {
    await using small = await SmallDisk.mount(192 * mebibyte)
    await using service = await serviceOn(small)
    const names = Array.from({ length: 60 }, (_, nth) => `image-${nth}`)
    for (const [nth, name] of names.entries()) await upload(service, name, disk(65_536, nth))
    for (const name of names) {
      await small.fill()
      await service.rest.delete(name)
    }
    expect(await service.rest.names()).toEqual([])
    await small.free()
    await upload(service, 'new', disk(mebibyte))
  })
})
