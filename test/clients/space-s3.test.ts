import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { get, send } from '../support/rest.ts'
import { needsS3, s3Variables, startS3, type S3 } from '../support/s3.ts'
import { startFaultyS3 } from '../support/s3-faults.ts'
import { startService, type Service } from '../support/service.ts'
import { needsSmallDisk, SmallDisk } from '../support/small-disk.ts'
import { request } from '../support/wire.ts'

let s3: S3

beforeAll(async () => {
  if (needsS3()) s3 = await startS3()
})
afterAll(() => s3?.[Symbol.asyncDispose]())

async function untilReadiness({ base }: Service, status: number): Promise<string> {
  const late = AbortSignal.timeout(20_000)
  for (;;) {
    late.throwIfAborted()
    const answer = await get(`${base}/readyz`)
    const text = await answer.text()
    if (answer.status === status) return text
  }
}

describe.skipIf(!needsS3())('readiness with blobs in S3', () => {
  test('ends while nobody reaches the bucket', async () => {
    await using held = new AsyncDisposableStack()
    const road = held.use(await startFaultyS3(s3.endpoint, { seed: 1, share: 0 }))
    await using service = await startService(s3Variables(road.endpoint, s3.bucket, 'readiness'))
    expect(await untilReadiness(service, 200)).toBe('ok\n')
    await held.disposeAsync()
    expect(await untilReadiness(service, 503)).toContain('the storage is out of reach')
    expect((await get(`${service.base}/healthz`)).status).toBe(200)
  })
})

describe.skipIf(!needsS3())('room with blobs in S3', () => {
  test('is what SLIPWAY_STORAGE_LIMIT says', async () => {
    await using service = await startService({
      ...s3.variables('limited'),
      SLIPWAY_STORAGE_LIMIT: '4Mi',
    })
    const door = await service.rest.createUpload('large')
    const length = { 'Content-Length': 6 * mebibyte, Expect: '100-continue' }
    using wire = await request('PUT', door, length)
    const { text } = await wire.answer()
    expect(text).toMatch(/^HTTP\/1\.1 507 /)
    expect(text).toContain('the image needs 6Mi, but 0B of 4Mi are in use (SLIPWAY_STORAGE_LIMIT)')
    expect((await send(door, disk(3 * mebibyte))).status).toBe(201)
  })

  test.skipIf(!needsSmallDisk())(
    'is that of the scratch folder for bytes of unknown length, and for no others',
    async () => {
      await using small = await SmallDisk.mount(128 * mebibyte)
      await using service = await startService({
        ...s3.variables('scratch'),
        SLIPWAY_SCRATCH_DIR: small.path,
      })
      const door = await service.rest.createUpload('chunked')
      using begun = await request('PUT', door, { 'Transfer-Encoding': 'chunked' })
      await begun.send(chunkOf(disk(mebibyte)))
      await service.rest.until('chunked', ({ status }) => status.receivedBytes === String(mebibyte))
      await small.fill()
      const cut = Promise.allSettled([begun.send(chunkOf(disk(16 * mebibyte, 1)))])
      const { status, text } = await begun.answer()
      expect(status).toBe(507)
      expect(text).toContain(`bytes are put aside in ${small.path}, and its disk is full`)
      await cut
      expect(await untilReadiness(service, 503)).toContain('SLIPWAY_SCRATCH_DIR')
      const again = { 'Transfer-Encoding': 'chunked', Expect: '100-continue' }
      using refused = await request('PUT', door, again)
      const early = (await refused.answer()).text
      expect(early).toMatch(/^HTTP\/1\.1 507 /)
      expect(early).toContain(`put aside in ${small.path}, which has only 0B left`)
      const known = await service.rest.createUpload('known')
      expect((await send(known, disk(24 * mebibyte, 2))).status).toBe(201)
      await small.free()
      expect(await untilReadiness(service, 200)).toBe('ok\n')
      const bytes = disk(2 * mebibyte, 3)
      using last = await request('PUT', door, { 'Transfer-Encoding': 'chunked' })
      await last.send(chunkOf(bytes))
      await last.send('0\r\n\r\n')
      expect((await last.answer()).status).toBe(201)
    },
  )
})

function chunkOf(bytes: Buffer): Buffer {
  const head = Buffer.from(`${bytes.length.toString(16)}\r\n`)
  return Buffer.concat([head, bytes, Buffer.from('\r\n')])
}
