import { once } from 'node:events'
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { Bucket } from '../../../../src/store/s3/bucket.ts'
import { connect } from '../../../../src/store/s3/connection.ts'

/** A proxy that has lost its server. */
async function startLostProxy() {
  const server = createServer((incoming, outgoing) => {
    incoming.resume()
    outgoing.writeHead(404, { 'content-length': '0' }).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

test('a 404 of something that is no S3 server says nothing about an object', async () => {
  await using proxy = await startLostProxy()
  const at = { bucket: 'images', endpoint: proxy.endpoint }
  const credentials = { accessKeyId: 'any', secretAccessKey: 'any' }
  const client = connect({
    ...at,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials,
  })
  using bucket = new Bucket(client, at, '')
  const asked = [
    bucket.head('blobs/one'),
    bucket.read('links/one'),
    bucket.remove('blobs/one'),
    bucket.parts({ key: 'objects/one', id: 'upload' }),
  ]
  for (const answer of await Promise.allSettled(asked)) {
    expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'STORAGE_UNAVAILABLE' } })
  }
})
