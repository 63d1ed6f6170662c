import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { expectNothing } from '../support/leftovers.ts'
import { startService, type Service } from '../support/service.ts'
import { request } from '../support/wire.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(() => service[Symbol.asyncDispose]())

const body = JSON.stringify({ name: 'planted', dataSource: { type: 'Upload' } })
const json = { 'Content-Type': 'application/json', 'Content-Length': body.length }

async function create(headers: Record<string, string>) {
  using wire = await request('POST', service.rest.url(), { ...json, ...headers })
  await wire.send(body)
  return await wire.answer()
}

describe('a page from somewhere else', () => {
  test('reads nothing under a name that only resolves to this machine', async () => {
    using wire = await request('GET', service.rest.url(), { Host: 'rebound.example.com' })
    const { status, text } = await wire.answer()
    expect(status).toBe(403)
    expect(text).toContain('"HOST_FORBIDDEN"')
    expect(text).toContain('not to \\"rebound.example.com\\"; ask for 127.0.0.1 or localhost')
  })

  test('creates nothing under such a name', async () => {
    expect((await create({ Host: 'rebound.example.com' })).status).toBe(403)
    await expectNothing(service.folder)
  })

  test('creates nothing by asking for this machine', async () => {
    const { status, text } = await create({ Origin: 'https://evil.example.com' })
    expect(status).toBe(403)
    expect(text).toContain('pages of https://evil.example.com may not change anything here')
    expect((await create({ Origin: 'null' })).status).toBe(403)
    await expectNothing(service.folder)
  })

  test('pulls nothing under a name that only resolves to this machine', async () => {
    const url = `${service.base}/v2/cvi/any/manifests/latest`
    using wire = await request('GET', url, { Host: 'rebound.example.com' })
    expect((await wire.answer()).status).toBe(403)
  })
})

describe('a page of this service', () => {
  test('may create an image', async () => {
    expect((await create({ Origin: service.base })).status).toBe(201)
    await service.rest.delete('planted')
  })

  test('may be asked for as localhost', async () => {
    const { port } = new URL(service.base)
    using wire = await request('GET', service.rest.url(), { Host: `localhost:${port}` })
    expect((await wire.answer()).status).toBe(200)
  })
})

test('an upload is let in under any name, for its token is its credential', async () => {
  const url = await service.rest.createUpload('named')
  using wire = await request('PUT', url, {
    Host: 'virtualization.example.com',
    'Content-Length': mebibyte,
  })
  await wire.send(disk(mebibyte))
  expect((await wire.answer()).status).toBe(201)
})
