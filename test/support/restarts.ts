import { describe, expect, test } from 'vitest'
import { disk, mebibyte } from './disks.ts'
import { forever, startNeighbour, type Neighbour } from './http-neighbour.ts'
import { expectNothing, expectOnly, expectStaged } from './leftovers.ts'
import { get, readiness, send, uploadUrl } from './rest.ts'
import { startService, type Service } from './service.ts'
import { request } from './wire.ts'

export const bytes = disk(2 * mebibyte)
export const half = mebibyte

/** A source that stops in the middle of its first answer, and gives everything the second time. */
function halting(neighbour: Neighbour): string {
  const pause = { at: half, until: forever }
  return neighbour.serve('/image', (nth) => (nth === 1 ? { bytes, pause } : { bytes }))
}

export async function untilHalfIsIn({ rest, folder }: Service, name: string): Promise<void> {
  await rest.until(name, ({ status }) => status.receivedBytes === String(half))
  await expectStaged(folder)
}

const pathOf = (url: string) => new URL(url).pathname

/** What goes on over a start, however the process before it ended. */
export function describeRestarts(how: 'kill -9' | 'SIGTERM'): void {
  describe('an import that was cut in the middle', () => {
    test(`by ${how} gets Ready after the next start`, async () => {
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
  })

  describe('an upload that was cut in the middle', () => {
    test(`by ${how} can be sent again to the same token`, async () => {
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
    test(`by ${how} a waiting upload goes on waiting`, async () => {
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

    test(`by ${how} a Ready image stays as it is`, async () => {
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
  })
}
