import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { HeadBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { Metrics } from '../../../../src/metrics.ts'
import { count } from '../../../../src/store/s3/counted.ts'
import { Samples } from '../../../support/samples.ts'

/** An object store that answers as it is told, and a client whose requests are counted. */
async function counting(answer: (response: ServerResponse) => void) {
  const server = createServer((_, response) => answer(response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'here',
    maxAttempts: 1,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
  })
  const metrics = new Metrics()
  count(client, metrics.s3)
  return {
    ask: (abortSignal?: AbortSignal) =>
      client.send(new HeadBucketCommand({ Bucket: 'b' }), abortSignal ? { abortSignal } : {}),
    async outcome(name: string) {
      const series = `slipway_s3_requests_total{operation="HeadBucket",outcome="${name}"}`
      return new Samples(await metrics.text()).value(series)
    },
    async [Symbol.asyncDispose]() {
      client.destroy()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

test.each([500, 503])('a request that is answered with %i is counted so', async (status) => {
  await using store = await counting((response) => response.writeHead(status).end())
  await expect(store.ask()).rejects.toThrow()
  expect(await store.outcome(String(status))).toBe(1)
})

test('a store that breaks the connection has no status', async () => {
  await using store = await counting((response) => response.destroy())
  await expect(store.ask()).rejects.toThrow()
  expect(await store.outcome('none')).toBe(1)
})

test('what nobody waits for any longer is no failure of the store', async () => {
  const leaving = new AbortController()
  await using store = await counting(() => leaving.abort())
  await expect(store.ask(leaving.signal)).rejects.toThrow()
  expect(await store.outcome('aborted')).toBe(1)
  expect(await store.outcome('none')).toBe(0)
})
