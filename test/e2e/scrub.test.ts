import { rm } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { always, expectWhole, flip, layerOf, placeOf } from '../support/damage.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { EventParser } from '../support/event-source.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { expectOnly } from '../support/leftovers.ts'
import { codeOf } from '../support/registry-client.ts'
import { get, problemOf, readiness, send } from '../support/rest.ts'
import { startService } from '../support/service.ts'

const bytes = disk(mebibyte)

/** What was told of an image, up to an event that holds. */
async function toldUntil(answer: Response, holds: (data: string) => boolean) {
  const parser = new EventParser()
  const told: string[] = []
  const decoder = new TextDecoder()
  for await (const chunk of answer.body ?? []) {
    for (const { data } of parser.read(decoder.decode(chunk, { stream: true }))) {
      told.push(data)
      if (holds(data)) return told
    }
  }
  throw new Error(`the events ended after ${told.join()}`)
}

describe('one flipped bit of a stored layer', () => {
  test('is found and told, nothing of it is handed out, and retry imports it again', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService(always)
    const { rest } = service
    await rest.createFrom('a', neighbour.serve('/image', { bytes, etag: '"one"' }))
    await rest.ready('a')
    const layer = await layerOf(service, 'a')
    const events = await get(rest.url('/a/events'))
    await flip(service, layer)
    const lost = await rest.reaches('a', 'ImageLost')
    expect(readiness(lost)).toMatchObject({ status: 'False', reason: 'ImageLost' })
    expect(readiness(lost).message).toContain(`the layer ${layer} of the image is damaged`)
    expect(await toldUntil(events, (data) => data.includes('ImageLost'))).not.toEqual([])
    const pull = await get(`${service.base}/v2/cvi/a/blobs/${layer}`)
    expect(pull.status).toBe(404)
    expect(await codeOf(pull)).toBe('BLOB_UNKNOWN')
    const refused = await get(rest.url('/a/disk'))
    expect(await problemOf(refused)).toMatchObject({ status: 409, code: 'NOT_READY' })
    await rest.retry('a')
    await rest.ready('a')
    await expectWhole(service, 'a', bytes)
    await expectOnly(service.folder, ['a'])
  })
})

describe('a reader', () => {
  test('who meets a layer that has gone, or a manifest that was damaged, finds it', async () => {
    await using service = await startService()
    const { rest } = service
    await send(await rest.createUpload('a'), bytes)
    await send(await rest.createUpload('b'), disk(mebibyte, 1))
    await rm(placeOf(service, await layerOf(service, 'a')))
    expect((await get(rest.url('/a/disk'))).status).toBe(404)
    expect(readiness(await rest.reaches('a', 'ImageLost')).message).toContain('is missing')
    const { digest = '' } = (await rest.image('b')).status.target
    await flip(service, digest, 10)
    expect((await get(`${service.base}/v2/cvi/b/manifests/${digest}`)).status).toBe(404)
    const lost = await rest.reaches('b', 'ImageLost')
    expect(readiness(lost).message).toContain(`the manifest ${digest} of the image is damaged`)
  })
})
