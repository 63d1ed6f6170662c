import type { IncomingMessage } from 'node:http'
import { open, readdir, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asFailure, Refusal } from '../../../src/errors.ts'
import { sendBytes } from '../../../src/serve/bytes.ts'
import type { Call, Env } from '../../../src/serve/context.ts'
import { readSmallBody } from '../../../src/serve/small-body.ts'
import { FileBody } from '../../../src/store/file-body.ts'
import { within } from '../../support/deadline.ts'
import { temporaryFolder } from '../../support/temporary.ts'
import { Wire } from '../../support/wire.ts'
import { certify } from '../source/certificates.ts'
import { connected, get, listening, serve } from './listener-under-test.ts'

const limit = 1000

describe('a small body', () => {
  /** Answers with the bytes, or with the code of the failure. */
  function reading(patience: number) {
    const failures: string[] = []
    const read = async (c: Call) => {
      const { incoming, outgoing } = c.env
      try {
        return c.body(new Uint8Array(await readSmallBody(incoming, options(outgoing))))
      } catch (error) {
        const { code, row } = asFailure(error)
        failures.push(code)
        return new Response(code, { status: row.status })
      }
    }
    const tooLarge = () => new Refusal('CONTENT_TOO_LARGE', 'too large')
    const options = (outgoing: Call['env']['outgoing']) => ({
      limit,
      within: patience,
      tooLarge,
      outgoing,
    })
    return { routes: new Hono<Env>().put('/', read), failures }
  }
  const put = (fields: string) => `PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields}\r\n`
  const chunked = 'Transfer-Encoding: chunked\r\n'

  test('comes as it was sent, byte for byte, however small its pieces', async () => {
    await using served = await serve(reading(10_000).routes)
    using wire = await served.connect()
    const text = Array.from({ length: limit }, (_, at) => String.fromCodePoint(65 + (at % 26)))
    await wire.send(put(chunked))
    for (const letter of text) await wire.send(`1\r\n${letter}\r\n`)
    await wire.send('0\r\n\r\n')
    expect((await wire.answer()).text).toContain(text.join(''))
  })

  test('that is empty is empty', async () => {
    await using served = await serve(reading(10_000).routes)
    using wire = await served.connect()
    await wire.send(put('Content-Length: 0\r\n'))
    expect((await wire.answer()).status).toBe(200)
  })

  test('that is announced as too large is refused without a byte of it, and not asked for', async () => {
    await using served = await serve(reading(10_000).routes)
    using wire = await served.connect()
    await wire.send(put(`Content-Length: ${limit + 1}\r\nExpect: 100-continue\r\n`))
    const { status, text } = await wire.answer()
    expect(status).toBe(413)
    expect(text).not.toContain('100 Continue')
  })

  test('is asked for when the client waits for that', async () => {
    await using served = await serve(reading(10_000).routes)
    using wire = await served.connect()
    await wire.send(put('Content-Length: 3\r\nExpect: 100-continue\r\n'))
    await wire.hears('HTTP/1.1 100 Continue\r\n\r\n')
    await wire.send('abc')
    expect((await wire.answer()).text).toMatch(/\r\n\r\nHTTP\/1\.1 200 OK[^]+abc/)
  })

  test('that becomes too large is refused before its end', async () => {
    await using served = await serve(reading(10_000).routes)
    using wire = await served.connect()
    await wire.send(`${put(chunked)}3e9\r\n${'x'.repeat(limit + 1)}\r\n`)
    expect((await wire.answer()).status).toBe(413)
  })

  test('that trickles in is given up, and its connection with it', async () => {
    await using served = await serve(reading(200).routes)
    using wire = await served.connect()
    await wire.send(put('Content-Length: 900\r\n').replace('Connection: close\r\n', ''))
    const trickle = setInterval(() => void wire.send('x').catch(() => {}), 20)
    const { status, text } = await wire.answer()
    clearInterval(trickle)
    expect(status).toBe(408)
    expect(text).toContain('Connection: close')
  })

  test('that breaks off is an interruption, told at once', async () => {
    const { routes, failures } = reading(10_000)
    await using served = await serve(routes)
    using wire = await served.connect()
    await wire.send(put('Content-Length: 900\r\nExpect: 100-continue\r\n'))
    await wire.hears('100 Continue')
    wire.breakOff()
    await expect.poll(() => failures, { timeout: 5000 }).toEqual(['PUSH_INTERRUPTED'])
  })

  test('of a client that has gone already is not waited for', async () => {
    const tooLarge = () => new Refusal('CONTENT_TOO_LARGE', 'too large')
    const seen = Promise.withResolvers<IncomingMessage>()
    const asked = Promise.withResolvers<void>()
    const routes = new Hono<Env>().put('/', async (c) => {
      c.env.incoming.once('close', () => seen.resolve(c.env.incoming))
      asked.resolve()
      await seen.promise
      return c.text('late')
    })
    await using served = await serve(routes)
    using wire = await served.connect()
    await wire.send(put('Content-Length: 900\r\n'))
    await asked.promise
    wire.breakOff()
    const work = readSmallBody(await seen.promise, { limit, within: 10_000, tooLarge })
    await expect(within(1000, 'the failure', work)).rejects.toThrow('the connection broke')
  })
})

describe('a client that stops reading', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let path: string
  /** More than what systems and programs hold on the way. */
  const size = 256 * 1_048_576
  beforeAll(async () => {
    folder = await temporaryFolder()
    path = join(folder.path, 'blob')
    await using file = await open(path, 'w')
    await file.truncate(size)
  })
  afterAll(() => folder[Symbol.asyncDispose]())

  const routes = new Hono<Env>()
    .use((c, next) => {
      c.env.outgoing.setTimeout(300)
      c.set('log', listening().log)
      return next()
    })
    .get('/', (c) =>
      sendBytes(c, {
        size,
        etag: '"a"',
        contentType: 'application/octet-stream',
        headers: {},
        open: async (range, signal) => new FileBody(await open(path), range, signal),
      }),
    )

  async function openFiles(): Promise<number> {
    const own = '/proc/self/fd'
    const names = await readdir(own)
    const targets = await Promise.all(names.map((fd) => readlink(join(own, fd)).catch(() => '')))
    return targets.filter((target) => target === path).length
  }

  test.each(['HTTP', 'HTTPS'])('over %s is cut, and its file closed', async (scheme) => {
    const { ca, cert, key } = await certify('IP:127.0.0.1')
    const files = { cert: join(folder.path, 'tls.crt'), key: join(folder.path, 'tls.key') }
    await Promise.all([writeFile(files.cert, cert), writeFile(files.key, key)])
    await using served = await serve(routes, { tls: scheme === 'HTTPS' ? files : null })
    const plain = await connected(served.listener.address.port)
    const socket = scheme === 'HTTP' ? plain : connectTls({ socket: plain, ca, host: '127.0.0.1' })
    using wire = new Wire(socket)
    await wire.send(get('/'))
    await wire.hears('200 OK')
    socket.pause()
    expect(await openFiles()).toBe(1)
    await expect.poll(openFiles, { timeout: 5000 }).toBe(0)
    await within(1000, 'the end', served.listener.close(15_000))
  })
})
