import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { layerOf } from '../support/damage.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { get, readiness, send } from '../support/rest.ts'
import { needsS3, s3Variables, startS3, type S3 } from '../support/s3.ts'
import { startService, type Service } from '../support/service.ts'

let s3: S3

beforeAll(async () => {
  if (needsS3()) s3 = await startS3()
})
afterAll(() => s3?.[Symbol.asyncDispose]())

const denied = '<Error><Code>AccessDenied</Code></Error>'
const answers = { 'credentials that ran out': [403, denied], 'a lost server': [404, ''] } as const

/** A proxy before the server, which gives all requests one answer while it is told to. */
async function startGate(target: URL) {
  let closed: readonly [number, string] | null = null
  const server = createServer((incoming, outgoing) => {
    if (closed) {
      incoming.resume()
      const [status, body] = closed
      outgoing.writeHead(status).end(incoming.method === 'HEAD' ? '' : body)
      return
    }
    const { method, url: path, headers } = incoming
    const { hostname, port } = target
    const out = request({ hostname, port, agent: false, headers, path, method: method ?? 'GET' })
    out.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(outgoing)
    })
    out.on('error', () => outgoing.destroy())
    outgoing.on('close', () => out.destroy())
    incoming.pipe(out)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the gate has no port')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    close: (answer: readonly [number, string]) => void (closed = answer),
    open: () => void (closed = null),
    [Symbol.asyncDispose]: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

const run = z.object({ state: z.string() })

async function endOf({ base }: Service, kind: 'gc' | 'scrub'): Promise<string> {
  const begun = await fetch(`${base}/api/v1/storage/${kind}`, { method: 'POST' })
  const { id } = z.object({ id: z.string() }).parse(await begun.json())
  const late = AbortSignal.timeout(60_000)
  for (;;) {
    const found = await get(`${base}/api/v1/storage/runs/${id}`)
    const { state } = run.parse(await found.json())
    if (state !== 'running') return state
    late.throwIfAborted()
  }
}

describe.skipIf(!needsS3())('while S3 is away', () => {
  test.each(['credentials that ran out', 'a lost server'] as const)(
    'by %s, nothing is lost, collected or failed for good',
    async (why) => {
      await using gate = await startGate(new URL(s3.endpoint))
      await using neighbour = await startNeighbour()
      const prefix = why.replaceAll(' ', '-')
      await using service = await startService(s3Variables(gate.endpoint, s3.bucket, prefix))
      const { rest, base } = service
      await send(await rest.createUpload('small'), disk(mebibyte))
      await send(await rest.createUpload('large'), disk(20 * mebibyte, 1))
      const url = `${base}/v2/cvi/large/blobs/${await layerOf(service, 'large')}`
      gate.close(answers[why])
      expect((await get(url)).status).toBe(503)
      expect((await get(`${base}/readyz`)).status).toBe(503)
      await rest.createFrom('new', neighbour.serve('/new', { bytes: disk(20 * mebibyte, 2) }))
      await rest.until('new', (image) => readiness(image).reason === 'ProvisioningFailed')
      expect(await endOf(service, 'scrub')).toBe('failed')
      expect(await endOf(service, 'gc')).toBe('failed')
      for (const name of ['small', 'large']) {
        expect((await rest.image(name)).status.phase).toBe('Ready')
      }
      gate.open()
      await rest.ready('new')
      const pulled = await get(url)
      expect(pulled.status).toBe(200)
      expect((await pulled.arrayBuffer()).byteLength).toBeGreaterThan(20 * mebibyte)
      expect(await endOf(service, 'scrub')).toBe('done')
      expect(await endOf(service, 'gc')).toBe('done')
      for (const name of ['small', 'large', 'new']) {
        expect((await rest.image(name)).status.phase).toBe('Ready')
      }
    },
  )
})
