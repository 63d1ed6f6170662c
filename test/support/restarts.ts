import { expect, test } from 'vitest'
import { disk, mebibyte } from './disks.ts'
import { forever, startNeighbour, type Neighbour } from './http-neighbour.ts'
import { expectNothing, expectOnly, expectStaged } from './leftovers.ts'
import { get, readiness, send, uploadUrl } from './rest.ts'
import { startService, type Service } from './service.ts'
import { request } from './wire.ts'

export const bytes = disk(2 * mebibyte)
export const half = mebibyte
const [other, third] = [disk(mebibyte, 2), disk(mebibyte, 3)]

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
export function testRestarts(how: 'kill -9' | 'SIGTERM'): void {
  test(`by ${how} an import that was cut in the middle gets Ready after the next start`, async () => {
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

  test(`by ${how} uploads and Ready images stay what they are`, async () => {
    // Uploads bear the address of the listener, which is another one after the start.
    await using service = await startService({ SLIPWAY_REGISTRY_HOST: 'registry.example' })
    const { rest } = service
    await send(await rest.createUpload('stays'), other)
    const ready = await rest.image('stays')
    const waiting = await rest.createUpload('waiting')
    const cut = await rest.createUpload('cut')
    using wire = await request('PUT', cut, { 'Content-Length': bytes.length })
    await wire.send(bytes.subarray(0, half))
    await untilHalfIsIn(service, 'cut')
    wire.breakOff()
    await (how === 'SIGTERM' ? service.stop() : service.kill())
    await service.start()
    await expectCutOff(service, 'cut', cut)
    await expectWaiting(service, 'waiting', waiting)
    expect(await rest.image('stays')).toEqual(ready)
    const read = await get(rest.url('/stays/disk'))
    expect(Buffer.from(await read.arrayBuffer()).equals(other)).toBe(true)
    await expectOnly(service.folder, ['cut', 'stays', 'waiting'])
  })
}

/** It can be sent again to the same token. */
async function expectCutOff({ rest, base }: Service, name: string, before: string): Promise<void> {
  const image = await rest.image(name)
  expect(image.status.phase).toBe('Provisioning')
  expect(readiness(image)).toMatchObject({
    reason: 'ProvisioningFailed',
    message: expect.stringMatching(/send (?:the file again|the rest with .+) to the same URL/),
  })
  expect((await send(base + pathOf(before), bytes)).status).toBe(201)
}

async function expectWaiting({ rest }: Service, name: string, before: string): Promise<void> {
  const image = await rest.image(name)
  expect(image.status.phase).toBe('WaitForUserUpload')
  expect(pathOf(uploadUrl(image))).toBe(pathOf(before))
  expect((await send(uploadUrl(image), third)).status).toBe(201)
}
