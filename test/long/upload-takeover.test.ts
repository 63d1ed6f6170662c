import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { sendPart } from '../support/broken-off.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startService } from '../support/service.ts'
import { request } from '../support/wire.ts'

const size = 20 * mebibyte
const here = 4 * mebibyte
const bytes = disk(size)

test('an upload is taken over from a client that has fallen silent, not from one that sends', async () => {
  await using service = await startService()
  const url = await service.rest.createUpload('silent')
  using wire = await request('PUT', url, { 'Content-Length': size })
  await wire.send(bytes.subarray(0, here))
  await service.rest.until('silent', ({ status }) => status.receivedBytes === String(here))
  const early = await sendPart(url, 0, bytes)
  expect(early.status).toBe(423)
  expect(await early.text()).toContain('127.0.0.1 is uploading this image since 20')
  await expect
    .poll(async () => (await sendPart(url, here, bytes)).status, { timeout: 20_000, interval: 500 })
    .toBe(201)
  expect((await wire.answer()).text).toContain('another request goes on with this upload')
  const { source } = (await service.rest.image('silent')).status
  expect(source?.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
})
