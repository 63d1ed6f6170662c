import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { imageSchema } from '../../src/image/status.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { expectNothing, expectOnly } from '../support/leftovers.ts'
import { needs } from '../support/programs.ts'
import { get, problemOf, readiness, send, uploadUrl } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { attempt, run } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { request } from '../support/wire.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const stateSchema = z.object({
  phase: z.string(),
  offset: z.string(),
  expiresAt: z.iso.datetime().optional(),
})

async function stateOf(url: string) {
  return stateSchema.parse(await (await get(url)).json())
}

/** For those who look at no more than their own image. */
let shared: Service
beforeAll(async () => {
  shared = await startService()
})
afterAll(() => shared[Symbol.asyncDispose]())

describe('an upload', () => {
  test('is answered with the image, Ready, and its location', async () => {
    await using service = await startService()
    const { rest } = service
    const bytes = disk(mebibyte)
    const answer = await send(await rest.createUpload('whole'), bytes)
    expect(answer.status).toBe(201)
    expect(answer.headers.get('location')).toBe('/api/v1/images/whole')
    const { status } = imageSchema.parse(await answer.json())
    expect(status).toMatchObject({
      phase: 'Ready',
      format: 'raw',
      size: { unpackedBytes: String(mebibyte) },
      source: { bytes: String(mebibyte), sha256: sha256(bytes) },
    })
    expect(status).not.toHaveProperty('uploadCommand')
    const read = await get(rest.url('/whole/disk'))
    expect(Buffer.from(await read.arrayBuffer()).equals(bytes)).toBe(true)
    await expectOnly(service.folder, ['whole'])
  })

  test('is taken after any number of clients that broke off at any moment', async () => {
    await using service = await startService()
    const url = await service.rest.createUpload('stormy')
    const bytes = disk(mebibyte)
    for (let round = 0; round < 20; round += 1) {
      const head = { 'Content-Length': bytes.length }
      const clients = await Promise.all(Array.from({ length: 12 }, () => request('PUT', url, head)))
      if (round % 2 === 0) await clients[0]?.send(bytes.subarray(0, 10_000))
      for (const client of clients) client.breakOff()
    }
    // Whoever came before is told to be gone as soon as the connection says so.
    let answer = await send(url, bytes)
    while (answer.status === 423) answer = await send(url, bytes)
    expect(answer.status).toBe(201)
    await expectOnly(service.folder, ['stormy'])
  })

  test('that is sent again shows no less progress than before', async () => {
    const { rest } = shared
    const url = await rest.createUpload('twice')
    const bytes = disk(4 * mebibyte)
    const upTo = async (length: number) => {
      const wire = await request('PUT', url, { 'Content-Length': bytes.length })
      await wire.send(bytes.subarray(0, length))
      await rest.until('twice', ({ status }) => status.receivedBytes === String(length))
      return wire
    }
    const first = await upTo(3 * mebibyte)
    expect((await rest.image('twice')).status.progress).toBe('75%')
    first.breakOff()
    const broken = await rest.until('twice', ({ status }) => status.upload !== undefined)
    expect(broken.status.progress).toBe('75%')
    using second = await upTo(mebibyte)
    expect((await rest.image('twice')).status.progress).toBe('75%')
    await second.send(bytes.subarray(mebibyte))
    expect((await second.answer()).status).toBe(201)
  })

  test('may be a POST, and of unknown length', async () => {
    const { rest } = shared
    using wire = await request('POST', await rest.createUpload('chunked'), {
      'Transfer-Encoding': 'chunked',
    })
    const bytes = disk(65_536)
    await wire.send('10000\r\n')
    await wire.send(bytes)
    await wire.send('\r\n0\r\n\r\n')
    expect((await wire.answer()).status).toBe(201)
    const { source } = (await rest.image('chunked')).status
    expect(source).toMatchObject({ bytes: '65536', sha256: sha256(bytes) })
  })

  test('is told to send its bytes once everything has been checked that can be', async () => {
    using wire = await request('PUT', await shared.rest.createUpload('polite'), {
      'Content-Length': mebibyte,
      Expect: '100-continue',
    })
    await wire.hears('HTTP/1.1 100 Continue\r\n\r\n')
    await wire.send(disk(mebibyte))
    expect((await wire.answer()).text).toContain('HTTP/1.1 201 Created')
  })

  test('goes through when all of its checksums match, in either case', async () => {
    const bytes = disk(mebibyte)
    const url = await shared.rest.createUpload('checked', {
      checksum: {
        sha256: sha256(bytes).toUpperCase(),
        md5: createHash('md5').update(bytes).digest('hex'),
      },
    })
    expect((await send(url, bytes)).status).toBe(201)
  })

  test('can be looked at while it waits and while it runs', async () => {
    const { rest } = shared
    const url = await rest.createUpload('watched')
    expect(await stateOf(url)).toMatchObject({ phase: 'WaitForUserUpload', offset: '0' })
    using wire = await request('PUT', url, { 'Content-Length': 4 * mebibyte })
    await wire.send(disk(mebibyte))
    const moving = await rest.until(
      'watched',
      ({ status }) => status.receivedBytes === String(mebibyte),
    )
    expect(moving.status).toMatchObject({ phase: 'Provisioning', progress: '25%' })
    expect(moving.status.downloadSpeed?.avg).toMatch(/^[\d.]+(?:B|Ki|Mi|Gi)\/s$/)
    expect(await stateOf(url)).toEqual({ phase: 'Provisioning', offset: String(mebibyte) })
  })

  test('that broke off can be sent again to the same URL', async () => {
    await using service = await startService()
    const { rest } = service
    const bytes = disk(2 * mebibyte)
    const url = await rest.createUpload('again')
    using wire = await request('PUT', url, { 'Content-Length': bytes.length })
    await wire.send(bytes.subarray(0, mebibyte))
    await rest.until('again', ({ status }) => status.receivedBytes === String(mebibyte))
    wire.breakOff()
    const broken = await rest.until('again', ({ status }) => status.upload !== undefined)
    expect(broken.status.phase).toBe('Provisioning')
    expect(broken.status.upload?.resumeCommand).toBe(`curl -C 1048576 ${url} -T example.iso`)
    expect(readiness(broken)).toMatchObject({
      reason: 'ProvisioningFailed',
      message: expect.stringContaining(
        'send the rest with curl -C 1048576 -T to the same URL within 15m',
      ),
    })
    expect((await send(url, bytes)).status).toBe(201)
    await expectOnly(service.folder, ['again'])
  })

  test('that falls silent fails, and what had come is removed', async () => {
    await using service = await startService({ SLIPWAY_UPLOAD_IDLE: '1s' })
    const { rest } = service
    using wire = await request('PUT', await rest.createUpload('silent'), {
      'Content-Length': mebibyte,
    })
    await wire.send(disk(65_536))
    expect(await wire.answer()).toMatchObject({
      status: 410,
      text: expect.stringContaining('no byte of the upload arrived for 1s'),
    })
    const image = await rest.image('silent')
    expect(image.status.phase).toBe('Failed')
    expect(readiness(image)).toMatchObject({
      reason: 'WaitForUserUploadTimeout',
      message: expect.stringContaining('ask for a new upload URL with retry'),
    })
    await rest.delete('silent')
    await expectNothing(service.folder)
  })

  test('that broke off and is not sent again in time fails', async () => {
    await using service = await startService({ SLIPWAY_UPLOAD_IDLE: '1s' })
    const { rest } = service
    const url = await rest.createUpload('forgotten')
    using wire = await request('PUT', url, { 'Content-Length': mebibyte })
    await wire.send(disk(65_536))
    await rest.reaches('forgotten', 'Provisioning')
    wire.breakOff()
    const image = await rest.reaches('forgotten', 'Failed')
    expect(readiness(image)).toMatchObject({
      reason: 'WaitForUserUploadTimeout',
      message: expect.stringMatching(/broke off and was not sent again within 1s; ask for/),
    })
    expect((await send(url, disk(512))).status).toBe(410)
    await rest.delete('forgotten')
    await expectNothing(service.folder)
  })

  test('gets a fresh URL by retry, and the old one stays shut', async () => {
    await using service = await startService()
    const { rest } = service
    const old = await rest.createUpload('retried')
    const text = Buffer.from('this is no disk at all\n')
    expect(await problemOf(await send(old, text))).toMatchObject({ code: 'NOT_AN_IMAGE' })
    const fresh = uploadUrl(await rest.retry('retried'))
    expect(fresh).not.toBe(old)
    expect((await send(old, disk(512))).status).toBe(410)
    expect((await send(fresh, disk(512))).status).toBe(201)
    await expectOnly(service.folder, ['retried'])
  })

  test('shows the public names that the service was given', async () => {
    await using service = await startService({
      SLIPWAY_PUBLIC_URL: 'https://virtualization.example.com',
      SLIPWAY_INTERNAL_URL: 'http://slipway.d8-virtualization.svc',
      SLIPWAY_REGISTRY_HOST: 'dvcr.d8-virtualization.svc',
    })
    const { status } = await service.rest.create('named', { type: 'Upload' })
    expect(status.uploadCommand).toMatch(
      /^curl https:\/\/virtualization\.example\.com\/upload\/[A-Za-z0-9]{32} -T example\.iso$/,
    )
    const path = new URL(uploadUrl({ name: 'named', status })).pathname
    expect(status.imageUploadURLs).toEqual({
      external: `https://virtualization.example.com${path}`,
      inCluster: `http://slipway.d8-virtualization.svc${path}`,
    })
    expect(status.target.registryURL).toBe('dvcr.d8-virtualization.svc/cvi/named')
  })
})

describe.skipIf(!needs('curl', 'apt-get install curl'))('curl', () => {
  test('shows its user the sentence that matters when the file is refused', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'notes.iso')
    await writeFile(path, '# what I did last summer\n')
    const url = await shared.rest.createUpload('notes')
    const { stdout } = await attempt('curl', ['-s', url, '-T', path])
    expect(stdout).toMatch(/^\{"detail":"the file is no disk image but a text; send [^\n]+\}\n$/)
  })

  test('sends what it reads from a pipe', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'disk.img')
    await writeFile(path, disk(3 * mebibyte))
    const url = await shared.rest.createUpload('piped')
    await run('sh', ['-c', `cat disk.img | curl -fsS -T - ${url}`], { cwd: folder.path })
    const { status } = await shared.rest.image('piped')
    expect(status).toMatchObject({ phase: 'Ready', source: { bytes: String(3 * mebibyte) } })
  })
})
