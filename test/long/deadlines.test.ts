import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { expectNothing, expectOnly } from '../support/leftovers.ts'
import { needs } from '../support/programs.ts'
import { readiness, send, uploadUrl, type Image } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { attempt, run } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { request } from '../support/wire.ts'

const ttl = { SLIPWAY_UPLOAD_TTL: '2s' }

function expectTimeout(image: Image): void {
  expect(image.status.phase).toBe('Failed')
  expect(image.status).not.toHaveProperty('uploadCommand')
  expect(readiness(image)).toMatchObject({
    status: 'False',
    reason: 'WaitForUserUploadTimeout',
    message:
      'no upload was begun within 2s; ask for a new upload URL with retry, or delete the image',
  })
}

/** Passes the time of an upload that is created now: another service shows when it is over. */
async function passTtl(): Promise<void> {
  await using clock = await startService(ttl)
  await clock.rest.createUpload('clock')
  await clock.rest.reaches('clock', 'Failed')
}

/** What curl prints for a file that comes too late: body and status. */
async function lateCurl(url: string): Promise<string> {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'example.iso')
  await writeFile(path, disk(mebibyte))
  return (await attempt('curl', ['-s', '-w', '%{http_code}', url, '-T', path])).stdout
}

function onPortOf(service: Service, url: string): string {
  return service.base + new URL(url).pathname
}

const gone =
  /^\{"detail":"the time for this upload is over; ask for a new one.+"UPLOAD_GONE".+\n410$/

describe.skipIf(!needs('curl', 'apt-get install curl'))('the time for the first byte', () => {
  test('ends in Failed, and a late curl gets 410', async () => {
    await using service = await startService(ttl)
    const { rest } = service
    const url = await rest.createUpload('late')
    expectTimeout(await rest.reaches('late', 'Failed'))
    expect(await lateCurl(url)).toMatch(gone)
    await rest.delete('late')
    await expectNothing(service.folder)
  })

  test.each(['stopped', 'killed'])('passes while the service is %s', async (how) => {
    await using service = await startService(ttl)
    const { rest } = service
    const url = await rest.createUpload('down')
    await (how === 'stopped' ? service.stop() : service.kill())
    await passTtl()
    await service.start()
    expectTimeout(await rest.reaches('down', 'Failed', 5000))
    expect(await lateCurl(onPortOf(service, url))).toMatch(gone)
  })

  test('begins anew with retry', async () => {
    await using service = await startService(ttl)
    const { rest } = service
    await rest.createUpload('anew')
    await rest.reaches('anew', 'Failed')
    const url = uploadUrl(await rest.retry('anew'))
    expect((await send(url, disk(mebibyte))).status).toBe(201)
    await expectOnly(service.folder, ['anew'])
  })

  test('never cuts an upload that has begun', async () => {
    await using service = await startService(ttl)
    const { rest } = service
    const bytes = disk(mebibyte)
    using wire = await request('PUT', await rest.createUpload('begun'), {
      'Content-Length': bytes.length,
    })
    await wire.send(bytes.subarray(0, 1000))
    await rest.reaches('begun', 'Provisioning')
    await rest.createUpload('clock')
    await rest.reaches('clock', 'Failed')
    await wire.send(bytes.subarray(1000))
    expect((await wire.answer()).status).toBe(201)
  })

  test('is not over for an upload whose curl came in time', async () => {
    await using service = await startService(ttl)
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'disk.img')
    await writeFile(path, disk(mebibyte))
    await run('curl', ['-fsS', await service.rest.createUpload('punctual'), '-T', path])
    expect((await service.rest.image('punctual')).status.phase).toBe('Ready')
  })
})
