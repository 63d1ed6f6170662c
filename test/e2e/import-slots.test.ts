import { expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { forever, startNeighbour } from '../support/http-neighbour.ts'
import { expectNothing } from '../support/leftovers.ts'
import { get, readiness } from '../support/rest.ts'
import { startService } from '../support/service.ts'

const bytes = disk(mebibyte)

test('an image that waits has no slot, says so, and can be deleted from the queue', async () => {
  await using neighbour = await startNeighbour()
  await using service = await startService({ SLIPWAY_IMPORT_CONCURRENCY: '1' })
  const { rest } = service
  const busy = neighbour.serve('/busy', { status: 503, headers: { 'retry-after': '600' } })
  await rest.createFrom('later', busy)
  await rest.until('later', ({ status }) => status.nextRetryAt !== undefined)
  const refer = async (name: string, to: string) => {
    await rest.create(name, {
      type: 'ObjectRef',
      objectRef: { kind: 'ClusterVirtualImage', name: to },
    })
  }
  await refer('waiting', 'missing')
  await rest.until('waiting', ({ status }) => status.retries === 1)

  const go = Promise.withResolvers<void>()
  const slow = neighbour.serve('/slow', { bytes, pause: { at: 1000, until: go.promise } })
  await rest.createFrom('slow', slow)
  await rest.reaches('slow', 'Provisioning')

  const good = neighbour.serve('/good', { bytes })
  for (const name of ['unwanted', 'next']) {
    await rest.createFrom(name, good)
    const queued = await rest.image(name)
    expect(queued.status.phase).toBe('Pending')
    expect(readiness(queued)).toMatchObject({
      status: 'False',
      reason: 'ProvisioningNotStarted',
      message: 'the import is in the queue',
    })
  }
  await rest.delete('unwanted')
  expect((await get(rest.url('/unwanted'))).status).toBe(404)

  go.resolve()
  await Promise.all([rest.ready('slow'), rest.ready('next')])
  expect(neighbour.count('/good')).toBe(1)
  // A reference moves no bytes: it passes an import that has the only slot.
  const held = neighbour.serve('/held', {
    bytes,
    pause: { at: 1000, until: forever },
  })
  await rest.createFrom('held', held)
  await rest.reaches('held', 'Provisioning')
  await refer('copy', 'slow')
  await rest.ready('copy')
  await rest.delete('held')
  for (const name of ['later', 'waiting', 'slow', 'next', 'copy']) await rest.delete(name)
  await expectNothing(service.folder)
})
