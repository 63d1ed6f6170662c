import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { iso } from '../fixtures/iso.ts'
import { qcow2 } from '../fixtures/qcow2.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { sparseDisk } from '../support/images.ts'
import { expectNothing, expectOnly, stagedIn } from '../support/leftovers.ts'
import { needs } from '../support/programs.ts'
import { problemOf, readiness, send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { attempt } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { request } from '../support/wire.ts'

let service: Service
beforeAll(async () => {
  service = await startService({ SLIPWAY_MAX_IMAGE_SIZE: '4Mi' })
})
afterAll(() => service[Symbol.asyncDispose]())

/** The image is as if nobody had come, and goes without a trace. */
async function expectStillWaiting(name: string): Promise<void> {
  const { status } = await service.rest.image(name)
  expect(status.phase).toBe('WaitForUserUpload')
  await service.rest.delete(name)
  await expectNothing(service.folder)
}

async function expectGoneWithout(name: string): Promise<void> {
  expect(await stagedIn(service.folder)).toEqual([])
  await service.rest.delete(name)
  await expectNothing(service.folder)
}

describe('bytes are refused', () => {
  const encrypted = qcow2({ encryption: 2 })
  const twoAtOnce = iso()
  qcow2().copy(twoAtOnce, 0, 0, 512)

  test.each([
    ['that are a text', Buffer.from('hello\n'), 'NOT_AN_IMAGE', /no disk image but a text; send/],
    ['of an encrypted disk', encrypted, 'ENCRYPTED_IMAGE', /convert it to a plain qcow2/],
    ['of half a header', qcow2().subarray(0, 40), 'INVALID_HEADER', /\w/],
    ['that are two formats at once', twoAtOnce, 'AMBIGUOUS_FORMAT', /\w/],
  ])('%s', async (_what, bytes, code, detail) => {
    const answer = await send(await service.rest.createUpload('bad'), Buffer.from(bytes))
    const problem = await problemOf(answer)
    expect({ http: answer.status, code: problem.code }).toEqual({ http: 422, code })
    expect(problem.detail).toMatch(detail)
    const image = await service.rest.image('bad')
    expect(readiness(image)).toMatchObject({
      reason: 'ProvisioningFailedTerminally',
      message: problem.detail,
    })
    await expectGoneWithout('bad')
  })

  test('whose checksum is another', async () => {
    const url = await service.rest.createUpload('other', { checksum: { md5: '0'.repeat(32) } })
    const answer = await send(url, disk(mebibyte))
    expect(answer.status).toBe(400)
    expect(await problemOf(answer)).toMatchObject({
      code: 'CHECKSUM_MISMATCH',
      detail: expect.stringMatching(/^md5 of the source is [0-9a-f]{32}, expected 0{32}; check/),
    })
    await expectGoneWithout('other')
  })

  test('that nobody announced and that become too many', async () => {
    const url = await service.rest.createUpload('growing')
    using wire = await request('PUT', url, { 'Transfer-Encoding': 'chunked' })
    await wire.send(`${(5 * mebibyte).toString(16)}\r\n`)
    const sent = wire.send(disk(5 * mebibyte)).catch(() => {})
    const { status, text } = await wire.answer()
    await sent
    expect(status).toBe(413)
    expect(text).toContain('"TOO_LARGE"')
    await expectGoneWithout('growing')
  })

  test('that are none', async () => {
    const answer = await send(await service.rest.createUpload('empty'), Buffer.alloc(0))
    expect(answer.status).toBe(422)
    expect(await problemOf(answer)).toMatchObject({
      code: 'UPLOAD_EMPTY',
      detail: 'the upload has no bytes; check the file and send it again',
    })
    await expectStillWaiting('empty')
  })

  test('that are none, though nobody said so before', async () => {
    const url = await service.rest.createUpload('empty')
    using wire = await request('PUT', url, { 'Transfer-Encoding': 'chunked' })
    await wire.send('0\r\n\r\n')
    expect((await wire.answer()).status).toBe(422)
    await expectStillWaiting('empty')
  })

  test('that are a part of a file of which nothing is here', async () => {
    const url = await service.rest.createUpload('part')
    using wire = await request('PUT', url, {
      'Content-Length': 512,
      'Content-Range': 'bytes 512-1023/1024',
    })
    await wire.send(disk(512))
    const { status, text } = await wire.answer()
    expect(status).toBe(409)
    expect(text).toContain('0 bytes of this upload are here, so the next one cannot be number 512')
    await expectStillWaiting('part')
  })
})

describe('a client is refused before it has sent a byte', () => {
  const announced = { 'Content-Length': 5 * mebibyte, Expect: '100-continue' }

  test('when it announces more than the limit', async () => {
    const url = await service.rest.createUpload('large')
    using wire = await request('PUT', url, announced)
    const { status, text } = await wire.answer()
    expect(status).toBe(413)
    expect(text).not.toContain('100 Continue')
    expect(text).toMatch(/\{"detail":"the image has 5Mi or more, at most 4Mi are allowed/)
    await expectStillWaiting('large')
  })

  test('when its token is not known', async () => {
    const url = `${service.base}/upload/${'x'.repeat(32)}`
    using wire = await request('PUT', url, announced)
    const { status, text } = await wire.answer()
    expect(status).toBe(404)
    expect(text).not.toContain('100 Continue')
    expect(text).toContain('this upload URL is not known; copy it again from uploadCommand')
    await expectNothing(service.folder)
  })

  test('when its token was used', async () => {
    const url = await service.rest.createUpload('used')
    expect((await send(url, disk(mebibyte))).status).toBe(201)
    using wire = await request('PUT', url, announced)
    const { status, text } = await wire.answer()
    expect(status).toBe(410)
    expect(text).not.toContain('100 Continue')
    expect(text).toContain('this upload URL was used already; the image \\"used\\" is Ready; ask')
    await expectOnly(service.folder, ['used'])
    await service.rest.delete('used')
    expect((await send(url, disk(512))).status).toBe(404)
    await expectNothing(service.folder)
  })

  test('when its token has expired', async () => {
    await using service = await startService({ SLIPWAY_UPLOAD_TTL: '250ms' })
    const url = await service.rest.createUpload('expired')
    await service.rest.reaches('expired', 'Failed')
    using wire = await request('PUT', url, announced)
    const { status, text } = await wire.answer()
    expect(status).toBe(410)
    expect(text).not.toContain('100 Continue')
    expect(text).toContain('the time for this upload is over; ask for a new one')
    await service.rest.delete('expired')
    await expectNothing(service.folder)
  })

  test('when another one is sending already', async () => {
    const url = await service.rest.createUpload('busy')
    const bytes = disk(mebibyte)
    using first = await request('PUT', url, { 'Content-Length': bytes.length })
    await first.send(bytes.subarray(0, 1000))
    await service.rest.reaches('busy', 'Provisioning')
    using second = await request('PUT', url, { ...announced, 'Content-Length': mebibyte })
    const { status, text } = await second.answer()
    expect(status).toBe(423)
    expect(text).not.toContain('100 Continue')
    expect(text).toMatch(
      /127\.0\.0\.1 is uploading this image since [^;]+Z; wait until it has ended/,
    )
    await first.send(bytes.subarray(1000))
    expect((await first.answer()).status).toBe(201)
    await expectOnly(service.folder, ['busy'])
    await service.rest.delete('busy')
    await expectNothing(service.folder)
  })
})

test('an upload that breaks off leaves nothing once its image is deleted', async () => {
  const url = await service.rest.createUpload('broken')
  using wire = await request('PUT', url, { 'Content-Length': mebibyte })
  await wire.send(disk(300_000))
  await service.rest.reaches('broken', 'Provisioning')
  wire.breakOff()
  const image = await service.rest.until(
    'broken',
    (image) => readiness(image).reason === 'ProvisioningFailed',
  )
  expect(image.status.phase).toBe('Provisioning')
  expect(readiness(image).message).toMatch(
    /^the connection of the upload broke after \d+ bytes .+; send the (?:file again|rest with curl -C \d+ -T) to the same URL/,
  )
  await service.rest.delete('broken')
  await expectNothing(service.folder)
})

test('after all of that the service goes on', async () => {
  expect((await send(await service.rest.createUpload('good'), disk(mebibyte))).status).toBe(201)
  await expectOnly(service.folder, ['good'])
  await service.rest.delete('good')
})

describe.skipIf(!needs('curl', 'apt-get install curl'))('curl', () => {
  test('sends nothing of a file that is too large, and shows why', async () => {
    await using folder = await temporaryFolder()
    const path = await sparseDisk(folder.path, 64 * mebibyte)
    const url = await service.rest.createUpload('huge')
    const { stdout } = await attempt('curl', [
      '-s',
      '-w',
      '%{http_code} %{size_upload}',
      url,
      '-T',
      path,
    ])
    expect(stdout).toMatch(/^\{"detail":"the image has 64Mi or more.+\n413 0$/)
    await expectStillWaiting('huge')
  })

  test('that is too early to be told so still reads the refusal', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'disk.img')
    await writeFile(path, disk(5 * mebibyte))
    const url = await service.rest.createUpload('hasty')
    const hasty = ['-s', '-H', 'Expect:', '-w', '%{http_code}', url, '-T', path]
    expect((await attempt('curl', hasty)).stdout).toMatch(/^\{"detail":"the image has 5Mi.+\n413$/)
    await expectStillWaiting('hasty')
  })
})
