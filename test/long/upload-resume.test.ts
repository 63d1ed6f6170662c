import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { breakOff, sendPart } from '../support/broken-off.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { expectNothing, expectOnly, stagedIn } from '../support/leftovers.ts'
import { needs } from '../support/programs.ts'
import { get, problemOf, readiness, send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { run } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { request } from '../support/wire.ts'

const size = 20 * mebibyte
const bytes = disk(size)
const sha256 = createHash('sha256').update(bytes).digest('hex')
const canCurl = needs('curl', 'apt-get install curl')

const pathOf = (url: string) => new URL(url).pathname

const part = async (url: string, start: number, whole = bytes, end = whole.length) =>
  await sendPart(url, start, whole, end)

async function head(url: string): Promise<Record<string, string | null>> {
  const { status, headers } = await fetch(url, { method: 'HEAD' })
  expect(status).toBe(200)
  const names = ['upload-offset', 'upload-length', 'upload-complete', 'cache-control']
  return Object.fromEntries(names.map((name) => [name, headers.get(name)]))
}

async function durable({ folder }: Service): Promise<number> {
  const staging = join(folder, 'staging')
  const [id = ''] = await readdir(staging)
  return Number(await readFile(join(staging, id, 'offset'), 'latin1').catch(() => '0'))
}

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(() => service[Symbol.asyncDispose]())

/** Whatever an upload went through, nothing is left of it once its image is deleted. */
afterEach(async () => {
  for (const name of await service.rest.names()) await service.rest.delete(name)
  await expectNothing(service.folder)
})

describe('an upload that broke off', () => {
  test.skipIf(!canCurl)('goes on with the line that its status shows', async () => {
    await using folder = await temporaryFolder()
    const { rest } = service
    const url = await rest.createUpload('curl')
    const broken = await breakOff(service, 'curl', url, 0.9 * size, bytes)
    const { upload } = broken.status
    expect(upload).toMatchObject({
      offset: String(0.9 * size),
      length: String(size),
      resumeCommand: `curl -C ${0.9 * size} ${url} -T example.iso`,
    })
    expect(readiness(broken).message).toContain(`send the rest with curl -C ${0.9 * size} -T`)
    const file = join(folder.path, 'example.iso')
    await writeFile(file, bytes)
    const [program = '', ...args] = (upload?.resumeCommand ?? '').split(' ')
    await run(program, ['-fsS', ...args.map((arg) => (arg === 'example.iso' ? file : arg))])
    const { status } = await rest.image('curl')
    expect(status).toMatchObject({ phase: 'Ready', source: { sha256, bytes: String(size) } })
    await expectOnly(service.folder, ['curl'])
  })

  test.skipIf(!canCurl)('begins anew with curl -C -, which knows no offset', async () => {
    await using folder = await temporaryFolder()
    const url = await service.rest.createUpload('anew')
    await breakOff(service, 'anew', url, size / 2, bytes)
    const file = join(folder.path, 'example.iso')
    await writeFile(file, bytes)
    await run('curl', ['-fsS', '-C', '-', url, '-T', file])
    expect((await service.rest.image('anew')).status.source?.sha256).toBe(sha256)
  })

  test('tells how much of it is here', async () => {
    const url = await service.rest.createUpload('told')
    expect(await head(url)).toEqual({
      'upload-offset': '0',
      'upload-length': null,
      'upload-complete': '?0',
      'cache-control': 'no-store',
    })
    await breakOff(service, 'told', url, 3 * mebibyte, bytes)
    expect(await head(url)).toMatchObject({
      'upload-offset': String(3 * mebibyte),
      'upload-length': String(size),
    })
    expect(await (await get(url)).json()).toMatchObject({
      phase: 'Provisioning',
      offset: String(3 * mebibyte),
      length: String(size),
    })
    expect((await part(url, 3 * mebibyte)).status).toBe(201)
    expect((await head(url))['upload-complete']).toBe('?1')
  })

  test.each(['kill -9', 'SIGTERM'])('by %s goes on after the next start', async (how) => {
    await using service = await startService()
    const { rest } = service
    const before = await rest.createUpload('cut')
    using wire = await request('PUT', before, { 'Content-Length': size })
    await wire.send(bytes.subarray(0, 0.9 * size))
    await rest.until('cut', ({ status }) => status.receivedBytes === String(0.9 * size))
    if (how === 'kill -9') {
      await expect.poll(() => durable(service), { timeout: 10_000 }).toBeGreaterThan(0.85 * size)
    }
    wire.breakOff()
    await (how === 'SIGTERM' ? service.stop() : service.kill())
    await service.start()
    const url = service.base + pathOf(before)
    const offset = Number((await head(url))['upload-offset'])
    expect(offset).toBeGreaterThan(0.8 * size)
    expect((await part(url, offset)).status).toBe(201)
    expect((await rest.image('cut')).status.source?.sha256).toBe(sha256)
    await expectOnly(service.folder, ['cut'])
  })

  test('keeps the parts that were acknowledged, by kill -9 in the moment after', async () => {
    await using service = await startService()
    const { rest } = service
    const before = await rest.createUpload('parts')
    const url = () => service.base + pathOf(before)
    for (let at = 0, nth = 3; at < size; nth += 1) {
      const end = Math.min(size, at + nth * mebibyte + 123)
      const { status, headers } = await part(url(), at, bytes, end)
      if (status === 201) break
      expect(Number(headers.get('upload-offset'))).toBe(end)
      await service.kill()
      await service.start()
      at = Number((await head(url()))['upload-offset'])
      expect(at).toBe(end)
    }
    expect((await rest.image('parts')).status.source?.sha256).toBe(sha256)
  })

  test('is finished without its client, once all of it has come', async () => {
    const url = await service.rest.createUpload('alone')
    const wire = await request('PUT', url, { 'Content-Length': size })
    await wire.send(bytes)
    wire[Symbol.dispose]()
    expect((await service.rest.ready('alone')).status.source?.sha256).toBe(sha256)
  })

  test.each([0, 512])(
    'is finished without its client after a crash that left %d bytes behind all of it',
    async (more) => {
      await using service = await startService()
      const whole = 3 * mebibyte
      await breakOff(service, 'crash', await service.rest.createUpload('crash'), whole, bytes)
      await service.stop()
      // As if the file had no more bytes, and the crash had come before the image was made of them; by then the end of the
      // layer may be staged behind them.
      const catalog = new Database(join(service.folder, 'catalog.sqlite'))
      const length = Number(catalog.prepare('SELECT offset FROM uploads').pluck().get()) - more
      catalog.prepare('UPDATE uploads SET length = ?').run(length)
      catalog.close()
      await service.start()
      const { source } = (await service.rest.ready('crash')).status
      expect(source?.bytes).toBe(String(length))
      await expectOnly(service.folder, ['crash'])
    },
  )

  test('goes on from any place before the end of what is here', async () => {
    const url = await service.rest.createUpload('earlier')
    // What lies beyond is replaced.
    await breakOff(service, 'earlier', url, 10 * mebibyte, disk(size, 5))
    const answer = await part(url, 0)
    expect(answer.status).toBe(201)
    expect((await service.rest.image('earlier')).status.source?.sha256).toBe(sha256)
    const second = await service.rest.createUpload('middle')
    const other = Buffer.concat([bytes.subarray(0, 5 * mebibyte), disk(15 * mebibyte, 5)])
    await breakOff(service, 'middle', second, 10 * mebibyte, other)
    expect((await part(second, 5 * mebibyte - 7)).status).toBe(201)
    expect((await service.rest.image('middle')).status.source?.sha256).toBe(sha256)
  })

  test('comes in parts, each of which is kept', async () => {
    const url = await service.rest.createUpload('parts')
    for (let start = 0; start < size; start += 7 * mebibyte) {
      const end = Math.min(start + 7 * mebibyte, size)
      const answer = await part(url, start, bytes, end)
      if (end === size) expect(answer.status).toBe(201)
      else expect(answer.headers.get('upload-offset')).toBe(String(end))
    }
    expect((await service.rest.image('parts')).status.source?.sha256).toBe(sha256)
  })

  test('goes on inside a wrapping', async () => {
    const wrapped = gzipSync(bytes, { level: 1 })
    const url = await service.rest.createUpload('wrapped')
    const half = Math.floor(wrapped.length / 2)
    await breakOff(service, 'wrapped', url, half, wrapped)
    const offset = Number((await head(url))['upload-offset'])
    expect(offset).toBe(half)
    expect((await part(url, offset, wrapped)).status).toBe(201)
    const disk = Buffer.from(await (await get(service.rest.url('/wrapped/disk'))).arrayBuffer())
    expect(disk.equals(bytes)).toBe(true)
    await expectOnly(service.folder, ['wrapped'])
  })

  test.each([
    ['a gap', { start: 5 * mebibyte, length: size }, 409, 'UPLOAD_CONFLICT'],
    ['another length', { start: 3 * mebibyte, length: size + 512 }, 409, 'UPLOAD_CONFLICT'],
  ] as const)('is kept when %s is refused', async (_, { start, length }, status, code) => {
    const url = await service.rest.createUpload('kept')
    await breakOff(service, 'kept', url, 3 * mebibyte, bytes)
    const answer = await fetch(url, {
      method: 'PUT',
      body: bytes.subarray(start, start + 100),
      headers: { 'content-range': `bytes ${start}-${start + 99}/${length}` },
    })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('upload-offset')).toBe(String(3 * mebibyte))
    expect((await problemOf(answer)).code).toBe(code)
    expect((await part(url, 3 * mebibyte)).status).toBe(201)
    expect((await service.rest.image('kept')).status.source?.sha256).toBe(sha256)
  })

  test.each(['bytes 0-99/*', 'bytes 5-4/100', 'bytes 0-199/100', 'bytes 0-50/200', 'lines 1-2/3'])(
    'is not touched by a Content-Range of %s',
    async (range) => {
      const url = await service.rest.createUpload('odd')
      const headers = { 'content-range': range }
      const answer = await fetch(url, { method: 'PUT', body: bytes.subarray(0, 100), headers })
      expect(answer.status).toBe(416)
      expect((await service.rest.image('odd')).status.phase).toBe('WaitForUserUpload')
    },
  )

  test('is given up or Ready, whichever comes first', async () => {
    const { rest } = service
    const small = disk(mebibyte)
    const tries = Array.from({ length: 12 }, async (_, each) => {
      const name = `either-${each}`
      const url = await rest.createUpload(name)
      const sending = fetch(url, { method: 'PUT', body: small })
      await rest.until(
        name,
        ({ status }) => status.phase === 'Provisioning' || status.phase === 'Ready',
      )
      const { status } = await fetch(url, { method: 'DELETE' })
      await sending
      const { phase } = (await rest.image(name)).status
      expect({ status, phase }).toEqual(
        phase === 'Ready' ? { status: 410, phase } : { status: 204, phase: 'Failed' },
      )
    })
    await Promise.all(tries)
  })

  test('can be given up', async () => {
    const url = await service.rest.createUpload('given-up')
    await breakOff(service, 'given-up', url, 3 * mebibyte, bytes)
    expect(await stagedIn(service.folder)).not.toEqual([])
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(204)
    const image = await service.rest.image('given-up')
    expect(image.status.phase).toBe('Failed')
    expect(readiness(image).message).toContain('given up')
    expect(await stagedIn(service.folder)).toEqual([])
    expect((await send(url, bytes)).status).toBe(410)
  })
})
