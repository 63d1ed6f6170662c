import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { changesOf, type Change } from '../../../src/client/changes.ts'
import { Rest } from '../../../src/client/rest.ts'
import { frame } from '../../../src/serve/api/sse.ts'
import { shownImage } from '../../support/shown-image.ts'

type Answer = (response: ServerResponse, request: IncomingMessage) => void

/** A service whose nth answer is the nth of these, and the last one from then on. */
async function serving(...answers: readonly Answer[]) {
  const asked: { readonly url: string; readonly last: unknown }[] = []
  const server = createServer((request, response) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)]
    asked.push({ url: request.url ?? '', last: request.headers['last-event-id'] })
    answer?.(response, request)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const base = `http://127.0.0.1:${address.port}`
  const token = () => Promise.resolve(null)
  return {
    asked,
    rest: new Rest({ base, token, userAgent: 'test' }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const image = (name: string, id: string | null) =>
  frame('image', JSON.stringify(shownImage(name)), id)

/** An answer that goes on as long as its connection. */
const telling =
  (...frames: readonly Buffer[]): Answer =>
  (response) =>
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(Buffer.concat(frames))

/** One that breaks off behind them. */
const broken =
  (...frames: readonly Buffer[]): Answer =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(Buffer.concat(frames), () => response.destroy())
  }

const refusing =
  (status: number): Answer =>
  (response) =>
    response.writeHead(status).end('no')

const told = (change: Change) => (change.kind === 'image' ? change.image.name : change.kind)

/** What is told up to `last`. */
async function until(changes: AsyncGenerator<Change>, last: string): Promise<readonly string[]> {
  const all: string[] = []
  for await (const change of changes) {
    all.push(told(change))
    if (told(change) === last) break
  }
  return all
}

const open = (rest: Rest, patience?: number) =>
  changesOf(
    { rest, name: null, random: () => 0, ...(patience !== undefined && { patience }) },
    new AbortController().signal,
  )

test('the whole state is told to its end, and then what happens', async () => {
  const gone = frame('deleted', '{"name": "a", "uid": "uid-of-a"}', '8')
  const foreign = frame('weather', '{"sun": true}', null)
  const frames = [frame('reset', '{}', ''), image('a', null), image('b', '7'), foreign, gone]
  await using served = await serving(telling(...frames))
  expect(await until(open(served.rest), 'deleted')).toEqual([
    'reset',
    'a',
    'b',
    'settled',
    'deleted',
  ])
})

test('a state without images is told to its end, too, and an image is asked for by its name', async () => {
  await using served = await serving(telling(frame('reset', '{}', '7')))
  const changes = changesOf({ rest: served.rest, name: 'a' }, new AbortController().signal)
  expect(await until(changes, 'settled')).toEqual(['reset', 'settled'])
  expect(served.asked.map(({ url }) => url)).toEqual(['/api/v1/images/a/events'])
})

test('it goes on behind the last event when the connection breaks or the service is away', async () => {
  await using served = await serving(
    broken(frame('reset', '{}', ''), image('a', '7')),
    refusing(503),
    telling(image('b', '8')),
  )
  expect(await until(open(served.rest), 'b')).toEqual([
    'reset',
    'a',
    'settled',
    'lost',
    'lost',
    'found',
    'b',
  ])
  expect(served.asked.map(({ last }) => last)).toEqual([undefined, '7', '7'])
})

test('a whole state that was cut off is told anew', async () => {
  const reset = frame('reset', '{}', '')
  await using served = await serving(
    broken(reset, image('a', null)),
    telling(reset, image('a', null), image('b', '7')),
  )
  const all = await until(open(served.rest), 'settled')
  expect(all).toEqual(['reset', 'a', 'lost', 'found', 'reset', 'a', 'b', 'settled'])
})

test.each([
  ['nobody answers from the beginning', [refusing(503)], 'SERVICE_UNREACHABLE'],
  [
    'it is refused when it comes back',
    [broken(frame('reset', '{}', '7')), refusing(401)],
    'UNAUTHORIZED',
  ],
  [
    'the service stays away',
    [broken(frame('reset', '{}', '7')), refusing(503)],
    'SERVICE_UNREACHABLE',
  ],
])('it ends with an error when %s', async (_, answers, code) => {
  await using served = await serving(...answers)
  await expect(until(open(served.rest, 1), 'never')).rejects.toMatchObject({ code })
})

test('it ends quietly with the signal', async () => {
  await using served = await serving(telling(frame('reset', '{}', '7')))
  const stop = new AbortController()
  const changes = changesOf({ rest: served.rest, name: null }, stop.signal)
  expect(told((await changes.next()).value ?? { kind: 'found' })).toBe('reset')
  stop.abort()
  expect(await until(changes, 'never')).toEqual(['settled'])
})
