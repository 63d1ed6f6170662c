import { writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { Connection, type ConnectionLimits } from '../../../src/kube/connection.ts'
import { json, playApi, refuse, type Answer, type ApiPlay } from '../../support/api-play.ts'

const signal = new AbortController().signal

async function open(answer: Answer, limits: Partial<ConnectionLimits> = {}) {
  await using undo = new AsyncDisposableStack()
  const play = undo.use(await playApi(answer))
  const told: string[] = []
  const api = undo.use(connect(play, { limits, told }))
  const held = undo.move()
  return { play, api, told, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

function connect(
  play: ApiPlay,
  { limits = {}, told = [] }: { limits?: Partial<ConnectionLimits>; told?: string[] } = {},
): Connection {
  return new Connection({
    kubeconfig: [play.kubeconfig],
    userAgent: 'slipway/test',
    limits,
    onAnswer: (verb, code) => told.push(`${verb} ${code}`),
  })
}

async function linesOf(watch: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = []
  for await (const line of watch) all.push(line)
  return all
}

describe('the connection to the API server', () => {
  test('asks as rights and metrics name it, over connections that stay open', async () => {
    await using opened = await open((_asked, response) => json(response, { fine: true }))
    const { api, play, told } = opened
    expect(await api.get('/api/v1/x', {}, signal)).toEqual({ fine: true })
    await api.get('/api/v1/x', { limit: '500' }, signal)
    await api.create('/api/v1/x', { a: 1 }, signal)
    await api.replace('/api/v1/x/y', { a: 2 }, signal)
    await api.patch('/api/v1/x/y', 'merge', { a: 3 }, {}, signal)
    await api.patch('/api/v1/x/y', 'apply', { a: 4 }, { fieldManager: 'me', force: 'true' }, signal)
    expect(told).toEqual([
      'get 200',
      'list 200',
      'create 200',
      'update 200',
      'patch 200',
      'patch 200',
    ])
    // Writes wait for no answer that is still being read.
    expect(play.connections()).toBeLessThanOrEqual(2)
    expect(play.asked.map(({ method, path, body }) => `${method} ${path} ${body}`)).toEqual([
      'GET /prefix/api/v1/x ',
      'GET /prefix/api/v1/x ',
      'POST /prefix/api/v1/x {"a":1}',
      'PUT /prefix/api/v1/x/y {"a":2}',
      'PATCH /prefix/api/v1/x/y {"a":3}',
      'PATCH /prefix/api/v1/x/y {"a":4}',
    ])
    expect(play.asked.slice(-2).map(({ headers }) => headers['content-type'])).toEqual([
      'application/merge-patch+json',
      'application/apply-patch+yaml',
    ])
    expect(String(play.asked.at(-1)?.query)).toBe('fieldManager=me&force=true')
    expect(play.asked[0]?.headers).toMatchObject({
      authorization: 'Bearer first',
      'user-agent': 'slipway/test',
    })
    expect(api.namespace).toBe('home')
  })

  test.each([
    [404, 'NotFound', 'CLUSTER_NOT_FOUND'],
    [409, 'AlreadyExists', 'CLUSTER_EXISTS'],
    [409, 'Conflict', 'CLUSTER_CONFLICT'],
    [410, 'Expired', 'CLUSTER_EXPIRED'],
    [403, 'Forbidden', 'CLUSTER_REFUSED'],
    [422, 'Invalid', 'CLUSTER_REFUSED'],
    [401, 'Unauthorized', 'CLUSTER_UNAUTHENTICATED'],
    [500, 'InternalError', 'CLUSTER_UNAVAILABLE'],
    [503, 'ServiceUnavailable', 'CLUSTER_UNAVAILABLE'],
  ])('takes %s %s for %s, with what is said', async (status, reason, code) => {
    await using opened = await open((_asked, response) =>
      refuse(response, status, reason, 'because'),
    )
    const asked = opened.api.get('/api/v1/x', {}, signal)
    await expect(asked).rejects.toMatchObject({ code, message: expect.stringContaining('because') })
  })

  test('tells when it may be asked again', async () => {
    await using opened = await open((_asked, response) => {
      response.writeHead(429, { 'retry-after': '3' }).end('Too many requests')
    })
    await expect(opened.api.get('/x', {}, signal)).rejects.toMatchObject({
      code: 'CLUSTER_UNAVAILABLE',
      retryAfter: 3000,
      message: expect.stringContaining('Too many requests'),
    })
  })

  test('asks no longer than its patience, and no longer than its caller wants', async () => {
    await using opened = await open(() => {}, { patience: 50 })
    await expect(opened.api.get('/x', {}, signal)).rejects.toMatchObject({
      code: 'CLUSTER_UNAVAILABLE',
    })
    const stop = new AbortController()
    const asked = opened.api.get('/x', {}, stop.signal)
    stop.abort(new Error('no more'))
    await expect(asked).rejects.toThrow('no more')
    expect(opened.told).toEqual(['get none', 'get none'])
  })

  test.each([
    ['something else than JSON', '<html>welcome</html>', 'CLUSTER_UNAVAILABLE'],
    ['more than it should', JSON.stringify({ text: 'x'.repeat(2000) }), 'CLUSTER_TOO_LARGE'],
  ])('does not take %s', async (_what, body, code) => {
    await using opened = await open((_asked, response) => response.end(body), { answer: 1000 })
    await expect(opened.api.get('/x', {}, signal)).rejects.toMatchObject({ code })
  })

  test('reads its token anew when it is not known any more, and asks once more', async () => {
    await using opened = await open(({ headers }, response) => {
      if (headers.authorization === 'Bearer second') json(response, { fine: true })
      else refuse(response, 401, 'Unauthorized', 'Unauthorized')
    })
    const { api, play } = opened
    await expect(api.get('/x', {}, signal)).rejects.toMatchObject({
      code: 'CLUSTER_UNAUTHENTICATED',
    })
    await writeFile(play.tokenFile, 'second\n')
    expect(await api.get('/x', {}, signal)).toEqual({ fine: true })
    expect(play.asked).toHaveLength(4)
  })

  test('waits for a configuration that is no good at present', async () => {
    await using opened = await open((_asked, response) =>
      refuse(response, 401, 'Unauthorized', 'Unauthorized'),
    )
    await writeFile(opened.play.kubeconfig, 'half of')
    await expect(opened.api.get('/x', {}, signal)).rejects.toMatchObject({
      code: 'CLUSTER_UNAVAILABLE',
      message: expect.stringContaining('the configuration for the API server is no good'),
    })
  })

  test('says what is wrong with a configuration', async () => {
    await using play = await playApi(() => {})
    await writeFile(play.kubeconfig, '{}')
    expect(() => connect(play)).toThrow(/names no cluster with a server; set KUBECONFIG/)
    const none = { kubeconfig: ['/nowhere'], userAgent: 'x' }
    expect(() => new Connection(none)).toThrow(/ENOENT/)
  })
})

describe('a watch', () => {
  test('gives line by line, however the bytes are cut', async () => {
    const text = '{"a":"ä"}\n\n{"b":2}\n'
    await using opened = await open((_asked, response) => {
      response.setTimeout(0)
      response.flushHeaders()
      for (const byte of Buffer.from(text)) response.write(Buffer.of(byte))
      response.end()
    })
    const got = await linesOf(opened.api.watch('/x', { resourceVersion: '7' }, signal))
    expect(got).toEqual([{ a: 'ä' }, { b: 2 }])
    expect(String(opened.play.asked[0]?.query)).toBe('resourceVersion=7&watch=true')
  })

  test.each([
    ['breaks off within a line', '{"a":1}\n{"b":'],
    ['is no JSON', '{"a":1}\n<oops>\n'],
    ['is longer than a line may be', `{"a":1}\n{"b":"${'x'.repeat(2000)}"}\n`],
  ])('that %s gives what was whole, and fails', async (_what, text) => {
    await using opened = await open((_asked, response) => response.end(text), { line: 1000 })
    const got: unknown[] = []
    const read = async () => {
      for await (const line of opened.api.watch('/x', {}, signal)) got.push(line)
    }
    await expect(read()).rejects.toMatchObject({ code: 'CLUSTER_UNAVAILABLE' })
    expect(got).toEqual([{ a: 1 }])
  })

  test('that says nothing for too long, or is cut, fails', async () => {
    const begin: Answer = (_asked, response) => response.write('{"a":1}\n')
    await using silent = await open(begin, { silence: 300 })
    const watch = silent.api.watch('/x', {}, signal)
    await expect(linesOf(watch)).rejects.toMatchObject({ code: 'CLUSTER_UNAVAILABLE' })
    await using cut = await open(begin)
    const broken = cut.api.watch('/x', {}, signal)
    await broken.next()
    cut.play.cut()
    await expect(broken.next()).rejects.toMatchObject({ code: 'CLUSTER_UNAVAILABLE' })
  })

  test('ends with its signal, and is closed when nobody reads any more', async () => {
    const closed = Promise.withResolvers<void>()
    await using opened = await open((_asked, response) => {
      response.write('{"a":1}\n')
      response.once('close', () => closed.resolve())
    })
    const stop = new AbortController()
    const watch = opened.api.watch('/x', {}, stop.signal)
    await watch.next()
    stop.abort(new Error('no more'))
    await expect(watch.next()).rejects.toThrow('no more')
    await closed.promise
    for await (const line of opened.api.watch('/x', {}, signal)) {
      expect(line).toEqual({ a: 1 })
      break
    }
  })
})
