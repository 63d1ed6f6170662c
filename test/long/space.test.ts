import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { RegistryClient } from '../support/registry-client.ts'
import { get, readiness, send, uploadUrl } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { request } from '../support/wire.ts'

const limited = { SLIPWAY_STORAGE_LIMIT: '4Mi', SLIPWAY_IMPORT_RETRY_FOR: '1h' }
const whole = 'the image needs 6Mi, but 0B of 4Mi are in use (SLIPWAY_STORAGE_LIMIT)'

/** What a client is told that waits for leave to send. It sends nothing. */
async function asked(method: string, url: string, headers: Record<string, string | number>) {
  using wire = await request(method, url, { ...headers, Expect: '100-continue' })
  return (await wire.answer()).text
}

const refused = /^HTTP\/1\.1 507 /

describe('what cannot fit is refused before a byte of it is sent', () => {
  test('as an upload, a push or an import', async () => {
    await using service = await startService(limited)
    await using neighbour = await startNeighbour()
    const length = { 'Content-Length': 6 * mebibyte }
    const upload = await service.rest.createUpload('one')
    const tus = { 'Tus-Resumable': '1.0.0' }
    const patched = { ...tus, 'Content-Type': 'application/offset+octet-stream' }
    const registry = new RegistryClient(() => service.base)
    const session = registry.url(await registry.begin('team/app'))
    const digest = digestOf(Buffer.from('any'))
    const answers = {
      'curl -T': await asked('PUT', upload, length),
      'its rest': await asked('PUT', upload, {
        'Content-Length': 100,
        'Content-Range': `bytes 0-99/${6 * mebibyte}`,
      }),
      'tus POST': await asked('POST', upload, {
        ...tus,
        'Upload-Length': 6 * mebibyte,
        'Content-Length': 0,
      }),
      'tus PATCH': await asked('PATCH', upload, { ...patched, ...length, 'Upload-Offset': 0 }),
      'push in one': await asked(
        'POST',
        registry.url(`/v2/team/app/blobs/uploads/?digest=${digest}`),
        length,
      ),
      'push PATCH': await asked('PATCH', session, length),
      'push PUT': await asked('PUT', `${session}?digest=${digest}`, length),
    }
    for (const [way, text] of Object.entries(answers)) {
      expect(text, way).toMatch(refused)
      expect(text, way).toContain(whole)
    }
    await service.rest.createFrom('big', neighbour.serve('/big', { size: 6 * mebibyte }))
    const failed = await service.rest.until('big', (image) => isToBeRetried(readiness(image)))
    expect(readiness(failed).message).toContain(whole)
    expect((await get(`${service.base}/readyz`)).status).toBe(200)
    expect((await send(upload, disk(mebibyte))).status).toBe(201)
  })
})

describe('what an import has staged', () => {
  test('counts until it is deleted, over restarts, too', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService(limited)
    const bytes = disk(3 * mebibyte)
    const cut = { at: 2 * mebibyte, how: 'end' } as const
    const url = neighbour.serve('/cut', (nth) =>
      nth === 1 ? { bytes, cut, etag: '"1"' } : { status: 503 },
    )
    await service.rest.createFrom('cut', url)
    await service.rest.until('cut', (image) => isToBeRetried(readiness(image)))
    await service.rest.createUpload('other')
    await expectTaken(service)
    await service.stop()
    await service.start()
    await expectTaken(service)
    await service.kill()
    await service.start()
    await expectTaken(service)
    await service.rest.delete('cut')
    expect((await send(await doorOf(service), disk(3 * mebibyte))).status).toBe(201)
  })
})

async function doorOf({ rest }: Service): Promise<string> {
  return uploadUrl(await rest.image('other'))
}

async function expectTaken(service: Service): Promise<void> {
  const answer = await asked('PUT', await doorOf(service), { 'Content-Length': 3 * mebibyte })
  expect(answer).toMatch(refused)
  expect(answer).toContain('the image needs 3Mi, but 2Mi of 4Mi are in use')
}

function isToBeRetried({ reason }: { readonly reason: string }): boolean {
  return reason === 'ProvisioningFailed'
}
