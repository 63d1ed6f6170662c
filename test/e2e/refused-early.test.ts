import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { startService, type Service } from '../support/service.ts'
import { request, Wire } from '../support/wire.ts'

const envelopeSchema = z.object({ errors: z.tuple([z.object({ code: z.string() })]) })

describe('what is refused before its body is read', () => {
  const resources = new AsyncDisposableStack()
  let service: Service
  beforeAll(async () => {
    service = resources.use(await startService({ SLIPWAY_LOG_LEVEL: 'trace' }))
  })
  afterAll(() => resources.disposeAsync())

  test.each([
    ['an upload that is not there', 'PATCH', '/v2/a/blobs/uploads/nope', {}],
    [
      'a blob that is too large',
      'POST',
      `/v2/a/blobs/uploads/?digest=sha256:${'0'.repeat(64)}`,
      { 'Content-Length': 2 ** 41 },
    ],
    ['a manifest that is too large', 'PUT', '/v2/a/manifests/x', { 'Content-Length': 2 ** 24 }],
  ] as const)(
    '%s costs a client that waits for the word no byte',
    async (_what, method, path, headers) => {
      const all = { 'Content-Length': 10, ...headers, Expect: '100-continue' }
      using wire = await request(method, service.base + path, all)
      const { status, text } = await wire.answer()
      expect(status).toBeGreaterThanOrEqual(400)
      expect(text).not.toContain('100 Continue')
    },
  )

  test('a foreign page is refused in the words of the registry', async () => {
    const answer = await fetch(`${service.base}/v2/a/manifests/x`, {
      method: 'DELETE',
      headers: { origin: 'http://evil.example' },
    })
    expect(answer.status).toBe(403)
    expect(envelopeSchema.parse(await answer.json()).errors[0]).toMatchObject({ code: 'DENIED' })
  })

  test('the token of an upload stands in no log, whatever is asked of it', async () => {
    const url = await service.rest.createUpload('secret')
    const token = url.split('/').at(-1) ?? ''
    expect(token).toHaveLength(32)
    for (const path of [
      `/upload/${token}/`,
      `//upload/${token}`,
      `/v2/upload/${token}`,
      `/upload/${token}`,
    ]) {
      await (await fetch(service.base + path, { method: 'DELETE' })).text()
    }
    await service.logs.line(({ msg }) => msg?.includes('/upload/…') ?? false)
    expect(service.logs.toString()).not.toContain(token)
  })

  test('a load balancer that speaks HTTP/1.0 without a Host gets an answer in words', async () => {
    using wire = await request('GET', `${service.base}/healthz`)
    expect((await wire.answer()).status).toBe(200)
    using old = await connectTo(service.base)
    await old.send('GET /healthz HTTP/1.0\r\n\r\n')
    expect((await old.answer()).text).toMatch(/x-request-id/i)
  })
})

async function connectTo(base: string): Promise<Wire> {
  const { hostname, port } = new URL(base)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  return new Wire(socket)
}
