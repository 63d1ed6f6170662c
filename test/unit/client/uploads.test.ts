import { createServer } from 'node:http'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { UploadAddress } from '../../../src/client/uploads.ts'

test('an upload says when another program answers where the service should be', async () => {
  const server = createServer((_request, response) => void response.end('{"status": "ok"}'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const place = server.address()
  if (place === null || typeof place === 'string') throw new Error('the server has no port')
  const address = new UploadAddress(`http://127.0.0.1:${place.port}/upload/x`, 'test')
  await expect(address.look(new AbortController().signal)).rejects.toThrow(
    /^http:\/\/127\.0\.0\.1:\d+ answers as no Slipway/,
  )
  server.closeAllConnections()
  server.close()
})
