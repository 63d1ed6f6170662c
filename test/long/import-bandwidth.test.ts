import { describe, expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { expectNothing, expectOnly } from '../support/leftovers.ts'
import { send } from '../support/rest.ts'
import { startService } from '../support/service.ts'

describe('SLIPWAY_IMPORT_BANDWIDTH', () => {
  test('is shared evenly by imports that run at the same time, and slows their sources down', async () => {
    const limit = 2 * mebibyte
    await using neighbour = await startNeighbour()
    await using service = await startService({ SLIPWAY_IMPORT_BANDWIDTH: '2Mi' })
    const { rest } = service
    const together = Promise.withResolvers<void>()
    let inside = 0
    const serve = (path: string, size: number) => {
      const bytes = disk(size, size)
      return neighbour.serve(path, () => {
        if ((inside += 1) === 2) together.resolve()
        return { bytes, pause: { at: 'head', until: together.promise } }
      })
    }
    await rest.createFrom('short', serve('/short', limit))
    await rest.createFrom('long', serve('/long', 32 * mebibyte))
    await rest.ready('short')
    const { status } = await rest.image('long')
    expect(status.phase).toBe('Provisioning')
    // As much as the short one, if it was asked at once.
    const received = Number(status.receivedBytes)
    expect(received).toBeGreaterThan(limit / 2)
    expect(received).toBeLessThan(4 * limit)
    expect(Number(status.downloadSpeed?.avgBytes)).toBeLessThan(limit)
    // What is on its way lies in the buffers of two sockets.
    const sent = neighbour.requests.find(({ path }) => path === '/long')?.sent
    expect(sent).toBeLessThan(24 * mebibyte)
    await rest.delete('long')
    await expectOnly(service.folder, ['short'])
  })

  test('slows nothing else down', async () => {
    await using neighbour = await startNeighbour()
    // A MiB would take a quarter of an hour.
    await using service = await startService({ SLIPWAY_IMPORT_BANDWIDTH: '1Ki' })
    const { rest, base } = service
    const url = neighbour.serve('/disk.img', { bytes: disk(4 * mebibyte), ranges: 'honest' })
    await rest.createFrom('slow', url)
    await rest.reaches('slow', 'Provisioning')
    const upload = await rest.createUpload('quick')
    expect((await send(upload, disk(4 * mebibyte, 1))).status).toBe(201)
    const probed = await fetch(`${base}/api/v1/probe`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ dataSource: { type: 'HTTP', http: { url } } }),
    })
    expect(await probed.json()).toMatchObject({ format: 'raw', complete: true })
    const { status } = await rest.image('slow')
    expect(Number(status.receivedBytes)).toBeLessThan(mebibyte)
    for (const name of ['slow', 'quick']) await rest.delete(name)
    await expectNothing(service.folder)
    await neighbour.idle()
  })
})
