import { describe, expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { forever, startNeighbour } from '../support/http-neighbour.ts'
import { blobSizes, expectNothing, expectOnly, expectStaged } from '../support/leftovers.ts'
import { get, problemOf, send } from '../support/rest.ts'
import { startService } from '../support/service.ts'
import { request } from '../support/wire.ts'

const bytes = disk(2 * mebibyte)

describe('deleting', () => {
  test('aborts an import that is running', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    const { rest } = service
    const pause = { at: mebibyte, until: forever }
    await rest.createFrom('running', neighbour.serve('/image', { bytes, pause }))
    await rest.until('running', ({ status }) => status.receivedBytes === String(mebibyte))
    await expectStaged(service.folder)
    await rest.delete('running')
    await expectNothing(service.folder)
    await neighbour.idle()
  })

  test('ends the retries of an import', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    const { rest } = service
    const url = neighbour.serve('/image', { status: 503, headers: { 'retry-after': '600' } })
    await rest.createFrom('hopeless', url)
    await rest.until('hopeless', ({ status }) => status.retries === 1)
    await rest.delete('hopeless')
    await expectNothing(service.folder)
  })

  test('ends an upload whose client keeps silent', async () => {
    await using service = await startService()
    const { rest } = service
    using wire = await request('PUT', await rest.createUpload('silent'), {
      'Content-Length': bytes.length,
    })
    await wire.send(bytes.subarray(0, mebibyte))
    await rest.reaches('silent', 'Provisioning')
    const deleted = rest.delete('silent')
    expect(await wire.answer()).toMatchObject({
      status: 410,
      text: expect.stringContaining('the image was deleted'),
    })
    await deleted
    await expectNothing(service.folder)
  })

  test('shuts the URL of an upload that nobody has begun', async () => {
    await using service = await startService()
    const url = await service.rest.createUpload('waiting')
    await service.rest.delete('waiting')
    const answer = await send(url, bytes)
    expect(answer.status).toBe(404)
    expect(await problemOf(answer)).toMatchObject({ code: 'UPLOAD_UNKNOWN' })
    await expectNothing(service.folder)
  })

  test('frees the space at once, and the name with it', async () => {
    await using service = await startService()
    const { rest } = service
    await send(await rest.createUpload('gone'), bytes)
    expect(await blobSizes(service.folder)).toHaveLength(3)
    await rest.delete('gone')
    await expectNothing(service.folder)
    const answer = await get(rest.url('/gone'))
    expect(answer.status).toBe(404)
    expect(await problemOf(answer)).toMatchObject({ code: 'IMAGE_NOT_FOUND' })
    expect((await get(`${service.base}/v2/cvi/gone/manifests/latest`)).status).toBe(404)
    await send(await rest.createUpload('gone'), bytes)
    await expectOnly(service.folder, ['gone'])
  })

  test('touches no image but the one with the uid that is asked for', async () => {
    await using service = await startService()
    const { rest } = service
    await rest.createUpload('held')
    const { uid } = await rest.image('held')
    const asked = async (query: string) =>
      await fetch(rest.url(`/held?${query}`), { method: 'DELETE' })
    const refused = await asked('uid=another')
    expect(refused.status).toBe(409)
    expect(await problemOf(refused)).toMatchObject({ code: 'UID_DIFFERS' })
    expect((await asked('uuid=another')).status).toBe(422)
    expect((await rest.image('held')).uid).toBe(uid)
    expect((await asked(`uid=${uid}`)).status).toBe(202)
    expect((await get(rest.url('/held'))).status).toBe(404)
  })

  test('keeps a layer that another image shares until the last name goes', async () => {
    await using service = await startService()
    const { rest } = service
    const names = ['first', 'second', 'third']
    await Promise.all(names.map(async (name) => send(await rest.createUpload(name), bytes)))
    await expectOnly(service.folder, names)
    for (const name of names) {
      const sizes = await blobSizes(service.folder)
      expect(sizes.filter((size) => size > mebibyte)).toHaveLength(1)
      const read = await get(rest.url(`/${name}/disk`))
      expect(Buffer.from(await read.arrayBuffer()).equals(bytes)).toBe(true)
      await rest.delete(name)
    }
    await expectNothing(service.folder)
  })
})
