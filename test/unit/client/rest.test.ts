import { createServer } from 'node:http'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { deleteImage, imageByName } from '../../../src/client/images.ts'
import { Rest } from '../../../src/client/rest.ts'

const never = new AbortController().signal
const answer = z.object({ authorization: z.string().nullable(), body: z.string() })

/** Instead of a text: the answer begins, and nothing comes. */
const silent = 'silence'

/** A server that answers with what it was asked, or with a status and a text. */
async function serving(status = 200, text: string | null = null) {
  const server = createServer((request, response) => {
    void (async () => {
      const body = Buffer.concat(await Array.fromAsync(request)).toString()
      const { authorization = null } = request.headers
      response.writeHead(status, { 'content-type': 'text/plain' })
      if (text === silent) response.flushHeaders()
      else response.end(text ?? JSON.stringify({ authorization, body }))
    })()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const rest = new Rest({
    base: `http://127.0.0.1:${address.port}`,
    token: () => Promise.resolve('secret'),
    userAgent: 'test',
  })
  return {
    rest,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

test('the client shows its token and sends JSON', async () => {
  await using served = await serving()
  const told = await served.rest.post('/x', { dryRun: true }, answer, never)
  expect(told).toEqual({ authorization: 'Bearer secret', body: '{"dryRun":true}' })
})

test('the client says what the service says', async () => {
  await using served = await serving(403, '{"detail": "you may not", "code": "DENIED"}')
  await expect(served.rest.get('/x', answer, never)).rejects.toMatchObject({
    name: 'Refusal',
    code: 'DENIED',
    message: 'you may not',
  })
})

test.each([
  [507, '{"detail": "full", "code": "STORAGE_FULL"}', 'STORAGE_FULL', /^full$/],
  [500, '{"detail": "a mistake", "code": "INTERNAL"}', 'SERVICE_UNREACHABLE', /500: a mistake$/],
  [429, '{"detail": "slowly", "code": "TOO_MANY_REQUESTS"}', 'SERVICE_UNREACHABLE', /slowly$/],
  [502, '<html>', 'SERVICE_UNREACHABLE', /answered 502: <html>$/],
  [404, '{"detail": "none", "code": "IMAGE_NOT_FOUND"}', 'IMAGE_NOT_FOUND', /^none$/],
  [404, '{"detail": "none", "code": "OF_ANOTHER_VERSION"}', 'UNSUPPORTED', /answered 404: none$/],
  [404, 'no such route', 'UNSUPPORTED', /answered 404: no such route$/],
  [401, '', 'UNAUTHORIZED', /answered 401: $/],
])('the client tells a %i with %s as %s', async (status, text, code, message) => {
  await using served = await serving(status, text)
  await expect(served.rest.get('/x', answer, never)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  })
})

test('the client tells a missing image from a proxy without a route', async () => {
  await using missing = await serving(404, '{"detail": "none", "code": "IMAGE_NOT_FOUND"}')
  expect(await imageByName(missing.rest, 'x', never)).toBeNull()
  await deleteImage(missing.rest, 'x', 'uid', never)
  await using other = await serving(404, '<html>')
  await expect(imageByName(other.rest, 'x', never)).rejects.toThrow(/answered 404/)
  await expect(deleteImage(other.rest, 'x', 'uid', never)).rejects.toThrow(/answered 404/)
})

test('the client says what answers that is no Slipway', async () => {
  await using served = await serving(200, '<html>')
  await expect(served.rest.get('/x', answer, never)).rejects.toThrow(/answered 200: <html>$/)
})

test('the client says when another program answers', async () => {
  await using served = await serving(200, '{"status": "ok"}')
  await expect(served.rest.get('/x', answer, never)).rejects.toThrow(/answers as no Slipway/)
})

test('the client says where nobody answers', async () => {
  const { rest } = await (async () => {
    await using served = await serving()
    return served
  })()
  await expect(rest.get('/x', answer, never)).rejects.toMatchObject({
    code: 'SERVICE_UNREACHABLE',
    message: expect.stringMatching(/does not answer \(ECONNREFUSED\)$/),
  })
})

test('the client stops asking when it is told to', async () => {
  await using served = await serving()
  const signal = AbortSignal.abort(new Error('enough'))
  await expect(served.rest.get('/x', answer, signal)).rejects.toThrow('enough')
})

test('the client gives up an answer that falls silent', async () => {
  await using served = await serving(200, silent)
  const pieces = await served.rest.open('/x', 'text/plain', {}, 100, never)
  await expect(Array.fromAsync(pieces)).rejects.toMatchObject({
    code: 'SERVICE_UNREACHABLE',
    message: expect.stringMatching(/does not answer \(UND_ERR_BODY_TIMEOUT\)$/),
  })
})
