import { rename } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { always, expectWhole, flip, framed, layerOf, placeOf } from '../support/damage.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { expectOnly } from '../support/leftovers.ts'
import { RegistryClient } from '../support/registry-client.ts'
import { get, readiness, send } from '../support/rest.ts'
import { startService } from '../support/service.ts'

const bytes = disk(mebibyte)

describe('one flipped bit of a stored layer', () => {
  test('is repaired by a push of the layer, and by an import under another name', async () => {
    await using service = await startService(always)
    const { rest } = service
    await send(await rest.createUpload('a'), bytes)
    const layer = await layerOf(service, 'a')
    const registry = new RegistryClient(() => service.base)
    await flip(service, layer)
    await rest.reaches('a', 'ImageLost')
    expect((await registry.mount('team/app', layer, 'cvi/a')).status).toBe(202)
    expect(await registry.push('team/app', framed(bytes))).toBe(layer)
    await rest.ready('a')
    await expectWhole(service, 'a', bytes)
    await flip(service, layer)
    await rest.reaches('a', 'ImageLost')
    await send(await rest.createUpload('b'), bytes)
    for (const name of ['a', 'b']) {
      await rest.ready(name)
      await expectWhole(service, name, bytes)
    }
  })

  test('is repaired by a new upload, and a retry that fails leaves a Failed image', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService(always)
    const { rest } = service
    await send(await rest.createUpload('sent'), bytes)
    const url = neighbour.serve('/image', (nth) => (nth === 1 ? { bytes } : { status: 404 }))
    await rest.createFrom('fetched', url)
    await rest.ready('fetched')
    const objectRef = { kind: 'ClusterVirtualImage', name: 'sent' } as const
    await rest.create('reference', { type: 'ObjectRef', objectRef })
    await rest.ready('reference')
    const layer = await layerOf(service, 'sent')
    await flip(service, layer)
    for (const name of ['sent', 'fetched', 'reference']) await rest.reaches(name, 'ImageLost')
    await rest.retry('fetched')
    await rest.until('fetched', ({ status }) => status.phase === 'Failed')
    expect((await get(`${service.base}/v2/cvi/fetched/manifests/latest`)).status).toBe(404)
    await rest.retry('reference')
    const again = await rest.retry('sent')
    await send(again.status.imageUploadURLs?.external ?? '', bytes)
    for (const name of ['sent', 'reference']) {
      await rest.ready(name)
      await expectWhole(service, name, bytes)
    }
    await rest.delete('fetched')
    await expectOnly(service.folder, ['reference', 'sent'])
  })
})

test('a layer that goes while the service is down is missed at the next start, and welcomed at another', async () => {
  await using service = await startService()
  const { rest } = service
  await send(await rest.createUpload('a'), bytes)
  const place = placeOf(service, await layerOf(service, 'a'))
  await service.stop()
  await rename(place, `${service.folder}/aside`)
  await service.start()
  expect(readiness(await rest.reaches('a', 'ImageLost')).message).toContain('is missing')
  await service.kill()
  await rename(`${service.folder}/aside`, place)
  await service.start()
  await rest.ready('a')
  await expectWhole(service, 'a', bytes)
})
