import { spawnSync } from 'node:child_process'
import { Hono } from 'hono'
import { describe, expect, test } from 'vitest'
import type { Env } from '../../../src/serve/context.ts'
import { within } from '../../support/deadline.ts'
import type { Wire } from '../../support/wire.ts'
import { get, serve, slowRoutes } from './listener-under-test.ts'

const halfAHead = 'GET / HTTP/1.1\r\nHost: a\r\nX-More: '

const kept = 'Connection: keep-alive\r\n'

/** Answers everything, and knows what it was asked for. */
function countingRoutes() {
  const paths: string[] = []
  const routes = new Hono<Env>().all('*', (c) => {
    paths.push(c.req.path)
    return c.text('here')
  })
  return { routes, paths }
}

async function many(count: number, open: () => Promise<Wire>): Promise<AsyncDisposable & Wire[]> {
  const wires = await Promise.all(Array.from({ length: count }, open))
  return Object.assign(wires, {
    async [Symbol.asyncDispose]() {
      for (const wire of wires) wire[Symbol.dispose]()
    },
  })
}

describe('a head', () => {
  test('that stays half is given up in time, by 500 clients at once, while others are served', async () => {
    await using served = await serve(slowRoutes().routes, { limits: { headWithin: 1000 } })
    await using wires = await many(500, served.connect)
    await Promise.all(wires.map((wire) => wire.send(halfAHead)))
    const before = performance.now()
    expect(await (await fetch(served.base)).text()).toBe('here')
    expect(performance.now() - before).toBeLessThan(900)
    const answers = await Promise.all(wires.map((wire) => wire.answer()))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([408]))
    expect(answers[0]?.text).toMatch(/\r\nConnection: close\r\n[^]+ within 1 seconds\n$/)
  })

  test('is waited for over a connection that says nothing at all, as long and no longer', async () => {
    await using served = await serve(slowRoutes().routes, { limits: { headWithin: 100 } })
    using wire = await served.connect()
    expect((await wire.answer()).status).toBe(408)
  })

  test('that trickles in is given up as well', async () => {
    await using served = await serve(slowRoutes().routes, { limits: { headWithin: 200 } })
    using wire = await served.connect()
    await wire.send(halfAHead)
    const trickle = setInterval(() => void wire.send('x').catch(() => {}), 20)
    expect((await wire.answer()).status).toBe(408)
    clearInterval(trickle)
  })

  test('of more than 32 KiB is refused', async () => {
    await using served = await serve(slowRoutes().routes)
    using wire = await served.connect()
    await wire.send(get('/', `X-Large: ${'x'.repeat(33 * 1024)}\r\n`))
    const { status, text } = await wire.answer()
    expect(status).toBe(431)
    expect(text).toMatch(/\r\nConnection: close\r\n[^]+ more than 32768 bytes; send less\n$/)
  })

  test('of more than 200 fields is refused, and no field is dropped in silence', async () => {
    await using served = await serve(slowRoutes().routes)
    const fields = (count: number) => 'X-One: 1\r\n'.repeat(count)
    using many = await served.connect()
    await many.send(get('/', fields(200)))
    expect((await many.answer()).status).toBe(431)
    using fewer = await served.connect()
    await fewer.send(get('/', `${fields(198)}Connection: close\r\n`))
    expect((await fewer.answer()).status).toBe(200)
  })

  test('that is none is refused', async () => {
    await using served = await serve(slowRoutes().routes)
    using wire = await served.connect()
    await wire.send('\x16\x03\x01 hello\r\n\r\n')
    const { status, text } = await wire.answer()
    expect(status).toBe(400)
    expect(text).toMatch(/\r\nConnection: close\r\n[^]+this is no request in HTTP\/1\.1\n$/)
  })

  test.each([
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    [
      'chunks in HTTP/1.0',
      `POST / HTTP/1.0\r\n${kept}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    [
      'a coding that is not known',
      get('/', 'Transfer-Encoding: gzip, chunked\r\n') + '0\r\n\r\n',
      400,
    ],
    ['an expectation that is not known', get('/', 'Expect: 200-ok\r\n'), 417],
    ['HTTP/2.0', `GET / HTTP/2.0\r\nHost: a\r\n${kept}\r\n`, 400],
  ])('with %s is refused, and nothing behind it is done', async (_what, bytes, status) => {
    const { routes, paths } = countingRoutes()
    await using served = await serve(routes)
    using wire = await served.connect()
    await wire.send(bytes + get('/behind'))
    const answer = await wire.answer()
    expect(answer.status).toBe(status)
    expect(answer.text.match(/HTTP\/1\.1 /g)).toHaveLength(1)
    expect(paths).toEqual([])
  })

  test('that asks for another protocol is the last, since what came with it is lost', async () => {
    const { routes, paths } = countingRoutes()
    await using served = await serve(routes)
    using wire = await served.connect()
    await wire.send(get('/', 'Connection: Upgrade\r\nUpgrade: h2c\r\n') + get('/lost'))
    await wire.send(get('/behind')).catch(() => {})
    const { status, text } = await wire.answer()
    expect(status).toBe(200)
    expect(text).toMatch(/\r\nConnection: close\r\n/i)
    expect(paths).toEqual(['/'])
  })

  test.each([
    ['a target that is no path', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n'],
    ['a Host that is no name', 'GET / HTTP/1.1\r\nHost: a b\r\n'],
  ])('with %s is refused in words', async (_, head) => {
    await using served = await serve(slowRoutes().routes)
    using wire = await served.connect()
    await wire.send(`${head}Connection: close\r\n\r\n`)
    const { status, text } = await wire.answer()
    expect(status).toBe(400)
    expect(text).toContain('this is no request in HTTP/1.1\n')
  })

  test('that is none does not get into the answer of the request before', async () => {
    const { routes, asked, go } = slowRoutes()
    await using served = await serve(routes)
    using wire = await served.connect()
    await wire.send(get('/slow'))
    await asked
    await wire.send('nonsense\r\n\r\n')
    expect((await wire.answer()).text).toBe('')
    go()
  })
})

test('connections above the bound are closed, which is told once', async () => {
  await using served = await serve(slowRoutes().routes, { limits: { connections: 2 } })
  await using _ = await many(2, async () => {
    const wire = await served.connect()
    await wire.send(get('/'))
    await wire.hears('here')
    return wire
  })
  await using refused = await many(5, served.connect)
  for (const wire of refused) expect((await wire.answer()).text).toBe('')
  const told = served.lines.filter(({ msg }) => msg.startsWith('connections are turned away'))
  expect(told).toMatchObject([{ level: 40, connections: 2, dropped: 1 }])
})

test('a body that goes wrong behind its own answer gets no second one', async () => {
  await using served = await serve(slowRoutes().routes)
  using wire = await served.connect()
  await wire.send(get('/', 'Transfer-Encoding: chunked\r\n'))
  await wire.hears('here')
  await wire.send('nonsense\r\n')
  const { text } = await wire.answer()
  expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1)
})

test('a thousand connections at once are taken while the process is busy with something else', async () => {
  await using served = await serve(slowRoutes().routes)
  const opening = `
    let open = 0
    for (let at = 0; at < 1000; at += 1) {
      require('node:net').connect(${served.listener.address.port}, '127.0.0.1', () => {
        if ((open += 1) === 1000) process.exit()
      })
    }`
  // Nothing is accepted in this process meanwhile.
  const { status } = spawnSync(process.execPath, ['-e', opening], { timeout: 15_000 })
  expect(status).toBe(0)
})

describe('at the end', () => {
  /** Longer than any of these tests may take: nothing here waits for it. */
  const grace = 15_000

  test('answers that are asked for go out, and say that they are the last', async () => {
    const { routes, asked, go } = slowRoutes()
    await using served = await serve(routes)
    using wire = await served.connect()
    await wire.send(get('/slow'))
    await asked
    const closed = served.listener.close(grace)
    go()
    const { status, text } = await wire.answer()
    expect(status).toBe(200)
    expect(text).toMatch(/\r\nConnection: close\r\n[^]+slow$/)
    await within(1000, 'the end', closed)
  })

  test('answers whose head is out go on, and their connection is closed behind them', async () => {
    const { routes, begun, goOn } = slowRoutes()
    await using served = await serve(routes)
    using wire = await served.connect()
    await wire.send(get('/streamed'))
    await begun
    await wire.hears('first')
    const closed = served.listener.close(grace)
    goOn()
    expect((await wire.answer()).text).toMatch(/first [^]+second\r\n0\r\n\r\n$/)
    await within(1000, 'the end', closed)
  })

  test('of requests that were sent one behind the other all are answered', async () => {
    const { routes, asked, go } = slowRoutes()
    await using served = await serve(routes)
    using wire = await served.connect()
    await wire.send(get('/slow') + get('/'))
    await asked
    const closed = served.listener.close(grace)
    go()
    expect((await wire.answer()).text).toMatch(/slow[^]+Connection: close[^]+here$/)
    await within(1000, 'the end', closed)
  })

  test('idle connections are closed at once, and take no further request', async () => {
    const { routes, asked, go } = slowRoutes()
    await using served = await serve(routes)
    using idle = await served.connect()
    await idle.send(get('/'))
    await idle.hears('here')
    using wire = await served.connect()
    await wire.send(get('/slow'))
    await asked
    const closed = served.listener.close(grace)
    await idle.answer()
    await expect(idle.send(get('/'))).rejects.toThrow()
    await expect(served.connect()).rejects.toThrow('ECONNREFUSED')
    go()
    await within(1000, 'the end', closed)
  })

  test('connections that have said nothing yet, or half of it, are not waited for', async () => {
    await using served = await serve(slowRoutes().routes, { limits: { silentAtEnd: 50 } })
    using silent = await served.connect()
    using half = await served.connect()
    await half.send(halfAHead)
    expect(await (await fetch(served.base, { headers: { connection: 'close' } })).text()).toBe(
      'here',
    )
    await within(1000, 'the end', served.listener.close(grace))
    await Promise.all([silent.answer(), half.answer()])
  })

  test('a first request that comes just after is answered', async () => {
    await using served = await serve(slowRoutes().routes, { limits: { silentAtEnd: 5000 } })
    using wire = await served.connect()
    expect(await (await fetch(served.base)).text()).toBe('here')
    const closed = served.listener.close(grace)
    await wire.send(get('/'))
    expect((await wire.answer()).text).toMatch(/\r\nConnection: close\r\n[^]+here$/)
    await within(1000, 'the end', closed)
  })

  test('what is still not answered after the grace is cut', async () => {
    const { routes, asked, go } = slowRoutes()
    await using served = await serve(routes, { limits: { handledWithin: 50 } })
    using wire = await served.connect()
    await wire.send(get('/slow'))
    await asked
    await within(1000, 'the end', served.listener.close(50))
    expect((await wire.answer()).text).toBe('')
    go()
  })
})
