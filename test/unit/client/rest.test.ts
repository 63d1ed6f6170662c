import { createServer } from 'node:http'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Rest } from '../../../src/client/rest.ts'

const never = new AbortController().signal
const answer = z.object({ authorization: z.string().nullable(), body: z.string() })

/** A server that answers with what it was asked, or with a status and a text. */
async function serving(status = 200, text: string | null = null) {
  const server = createServer((request, response) => {
    void (async () => {
      const body = Buffer.concat(await Array.fromAsync(request)).toString()
      const { authorization = null } = request.headers
      response.writeHead(status).end(text ?? JSON.stringify({ authorization, body }))
    })()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const rest = new Rest({
    base: `http://127.0.0.1:${address.port}`,
    token: 'secret',
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
  await expect(served.rest.get('/x', answer, never)).rejects.toThrow(/answered 403: you may not$/)
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
