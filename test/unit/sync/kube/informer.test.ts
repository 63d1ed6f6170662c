import type { ServerResponse } from 'node:http'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { Outage, Refusal } from '../../../../src/errors.ts'
import { metadataSchema, type Query } from '../../../../src/kube/cluster-api.ts'
import { Connection, type ConnectionLimits } from '../../../../src/kube/connection.ts'
import { Informer } from '../../../../src/sync/kube/informer.ts'
import { json, playApi, refuse, type Asked } from '../../../support/api-play.ts'

const schema = z.object({ metadata: metadataSchema, spec: z.object({ size: z.number() }) })
type Item = z.output<typeof schema>

const item = (name: string, version: number, size = 1, uid = `uid-${name}`) => ({
  metadata: { name, uid, resourceVersion: String(version) },
  spec: { size },
})
const list = (version: number, items: object[], more?: string) => ({
  metadata: { resourceVersion: String(version), ...(more && { continue: more }) },
  items,
})
const line = (type: string, object: object) => `${JSON.stringify({ type, object })}\n`
const bookmark = (version: number) =>
  line('BOOKMARK', { metadata: { resourceVersion: String(version) } })

type Turn = (asked: Asked, response: ServerResponse) => void

/** An informer of a server that answers each list and each watch with the next turn; the last watch stays open. */
async function open(lists: Turn[], watches: Turn[], limits: Partial<ConnectionLimits> = {}) {
  await using undo = new AsyncDisposableStack()
  const play = undo.use(
    await playApi((asked, response) => {
      const turn = (asked.query.has('watch') ? watches : lists).shift()
      if (turn) turn(asked, response)
      else if (asked.query.has('watch')) response.flushHeaders()
      else refuse(response, 500, 'InternalError', 'there is no more')
    }),
  )
  const told: string[] = []
  const log = pino({ level: 'debug' }, { write: (text: string) => void told.push(text) })
  const api = undo.use(new Connection({ kubeconfig: [play.kubeconfig], userAgent: 'test', limits }))
  const ground = { api, log, now: Date.now, random: () => 0 }
  const informer = new Informer<Item>({ ...ground, path: '/things', schema })
  const changes: string[] = []
  informer.watch((name, now) => changes.push(`${name} ${now?.spec.size ?? 'gone'}`))
  const stop = new AbortController()
  const ended = informer.run(stop.signal)
  undo.defer(async () => {
    stop.abort()
    await ended
  })
  const held = undo.move()
  return {
    informer,
    changes,
    told,
    play,
    asked: (kind: 'list' | 'watch') =>
      play.asked.filter(({ query }) => query.has('watch') === (kind === 'watch')),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

const says =
  (value: object): Turn =>
  (_asked, response) =>
    json(response, value)
const shows =
  (...lines: string[]): Turn =>
  (_asked, response) =>
    response.end(lines.join(''))
const until = (holds: () => void) => vi.waitFor(holds, { timeout: 10_000, interval: 5 })

// Most of their time is waiting between two attempts.
describe.concurrent('the informer', () => {
  test('lists page by page, and watches from where the list was made', async () => {
    await using opened = await open(
      [says(list(5, [item('a', 1), item('b', 2)], 'more')), says(list(5, [item('c', 3)]))],
      [(_asked, response) => response.write(line('ADDED', item('d', 6)))],
    )
    const { informer, changes, asked } = opened
    expect(informer.isSynced).toBe(false)
    await until(() => expect(changes).toEqual(['a 1', 'b 1', 'c 1', 'd 1']))
    expect(informer.isSynced).toBe(true)
    expect(asked('list').map(({ query }) => String(query))).toEqual([
      'limit=500',
      'limit=500&continue=more',
    ])
    expect(String(asked('watch')[0]?.query)).toBe(
      'resourceVersion=5&allowWatchBookmarks=true&timeoutSeconds=300&watch=true',
    )
    expect([...informer.items()].map(({ metadata }) => metadata.name)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('goes on after the end of a watch from what it heard last, bookmarks among it, without a list', async () => {
    await using opened = await open(
      [says(list(5, [item('a', 1), item('b', 2)]))],
      [
        shows(line('MODIFIED', item('a', 7, 2)), line('DELETED', item('b', 8))),
        shows(bookmark(90)),
        shows(line('ADDED', item('b', 91, 3, 'another'))),
      ],
    )
    const { informer, changes, asked } = opened
    await until(() => expect(asked('watch')).toHaveLength(4))
    expect(changes).toEqual(['a 1', 'b 1', 'a 2', 'b gone', 'b 3'])
    expect(asked('watch').map(({ query }) => query.get('resourceVersion'))).toEqual([
      '5',
      '8',
      '90',
      '91',
    ])
    expect(asked('list')).toHaveLength(1)
    expect(informer.get('b')?.metadata.uid).toBe('another')
  })

  test.each([
    ['a line', shows(line('ERROR', { kind: 'Status', code: 410, reason: 'Expired' }))],
    ['an answer', (_: Asked, response: ServerResponse) => refuse(response, 410, 'Gone', 'too old')],
  ])(
    'lists again when its version has expired, by %s, and tells what has changed',
    async (_, expired) => {
      await using opened = await open(
        [
          says(list(5, [item('a', 1), item('b', 2), item('c', 3)])),
          says(list(50, [item('a', 1), item('b', 40, 2), item('d', 41)])),
        ],
        [expired],
      )
      await until(() => expect(opened.asked('watch')).toHaveLength(2))
      expect(opened.changes).toEqual(['a 1', 'b 1', 'c 1', 'c gone', 'b 2', 'd 1'])
      expect(opened.asked('watch')[1]?.query.get('resourceVersion')).toBe('50')
    },
  )

  test.each([
    ['a bookmark of the past', shows(bookmark(3))],
    [
      'a refusal of the future',
      shows(
        line('ERROR', {
          code: 504,
          reason: 'Timeout',
          details: { causes: [{ reason: 'ResourceVersionTooLarge' }], retryAfterSeconds: 1 },
        }),
      ),
    ],
  ])('goes back with a cluster that was restored, by %s', async (_, restored) => {
    await using opened = await open(
      [says(list(50, [item('a', 40, 2), item('b', 45)])), says(list(4, [item('a', 2, 1)]))],
      [restored, (_asked, response) => response.write(line('MODIFIED', item('a', 5, 3)))],
    )
    await until(() => expect(opened.changes).toEqual(['a 2', 'b 1', 'b gone', 'a 1', 'a 3']))
    expect(opened.asked('watch')[1]?.query.get('resourceVersion')).toBe('4')
  })

  test('begins again when the list expires between two pages, and keeps what it knew until then', async () => {
    await using opened = await open(
      [
        says(list(5, [item('a', 1)])),
        says(list(9, [item('b', 2)], 'more')),
        (_asked, response) => refuse(response, 410, 'Expired', 'the continue token is too old'),
        (_asked, response) => refuse(response, 503, 'ServiceUnavailable', 'not now'),
        says(list(10, [item('b', 2)])),
      ],
      [shows(line('ERROR', { kind: 'Status', code: 410 }))],
    )
    const { changes, informer, asked } = opened
    await until(() => expect(asked('list')).toHaveLength(4))
    expect(changes).toEqual(['a 1'])
    expect(informer.get('a')).not.toBeNull()
    await until(() => expect(changes).toEqual(['a 1', 'a gone', 'b 1']))
    expect(asked('list').map(({ query }) => query.has('continue'))).toEqual([
      false,
      false,
      true,
      false,
      false,
    ])
  })

  test('goes on after cut connections, refusals and half lines, and says so once', async () => {
    await using opened = await open(
      [says(list(5, [item('a', 1)]))],
      [
        (_asked, response) => response.destroy(),
        (_asked, response) => response.destroy(),
        shows(line('MODIFIED', item('a', 6, 2)), '{"type":"MODIF'),
        (_asked, response) => refuse(response, 503, 'ServiceUnavailable', 'starting'),
        (_asked, response) => response.write(line('MODIFIED', item('a', 7, 3))),
      ],
    )
    await until(() => expect(opened.changes).toEqual(['a 1', 'a 2', 'a 3']))
    expect(opened.asked('list')).toHaveLength(1)
    expect(opened.informer.trouble).toBeNull()
    const troubles = opened.told.filter((text) => text.includes('tells nothing'))
    expect(troubles.map((text) => /broke off|starting|does not answer/.exec(text)?.[0])).toEqual([
      'does not answer',
      'broke off',
      'starting',
    ])
  })

  test('is well again with a watch that is accepted, long before anything happens', async () => {
    await using opened = await open(
      [says(list(5, [item('a', 1)]))],
      [
        (_asked, response) => refuse(response, 429, 'TooManyRequests', 'initializing'),
        (_asked, response) => response.flushHeaders(),
      ],
    )
    await until(() => expect(opened.asked('watch')).toHaveLength(2))
    await until(() => expect(opened.informer.trouble).toBeNull())
    expect(opened.told.join()).toContain('initializing')
  })

  test('asks for smaller pages where those objects are too large for an answer', async () => {
    const large = says(list(5, [{ ...item('a', 1), data: 'x'.repeat(20_000) }]))
    const lists = [large, large, says(list(5, [item('a', 1)], 'more')), says(list(5, []))]
    await using opened = await open(lists, [], { answer: 10_000 })
    await until(() => expect(opened.informer.isSynced).toBe(true))
    const sizes = opened.asked('list').map(({ query }) => query.get('limit'))
    expect(sizes).toEqual(['500', '250', '125', '125'])
    expect(opened.told.join()).toContain('answers with more than 10000 bytes')
  })

  test('waits until its CRD is installed, and says once what is missing', async () => {
    const missing: Turn = (_asked, response) => response.writeHead(404).end('404 page not found\n')
    await using opened = await open([missing, missing, missing, says(list(5, [item('a', 1)]))], [])
    await until(() => expect(opened.informer.trouble).toContain('/things is not there: install'))
    await until(() => expect(opened.informer.isSynced).toBe(true))
    expect(opened.informer.trouble).toBeNull()
    expect(opened.told.filter((text) => text.includes('tells nothing'))).toHaveLength(1)
  })

  test('leaves out what its schema refuses, says so once, and goes on with the others', async () => {
    const odd = { metadata: item('odd', 3).metadata, spec: 'none' }
    await using opened = await open(
      [says(list(5, [odd, item('a', 1)]))],
      [
        shows(
          line('MODIFIED', { ...odd, metadata: item('odd', 6).metadata }),
          line('ADDED', item('b', 7)),
        ),
        shows(line('MODIFIED', item('odd', 8, 4))),
      ],
    )
    await until(() => expect(opened.changes).toEqual(['a 1', 'b 1', 'odd 4']))
    expect(opened.told.filter((text) => text.includes('is left out'))).toHaveLength(1)
  })

  test('learns what writes are answered, and is not taken back by what was said before', async () => {
    let show = (_text: string): unknown => null
    await using opened = await open(
      [says(list(5, [item('a', 1)]))],
      [(_asked, response) => (show = (text) => response.write(text))],
    )
    const { informer, changes, asked } = opened
    await until(() => expect(asked('watch')).toHaveLength(1))
    informer.learn(item('a', 9, 4))
    show(line('MODIFIED', item('a', 8, 3)) + line('MODIFIED', item('a', 9, 4)))
    show(line('MODIFIED', item('a', 10, 5)))
    await until(() => expect(changes).toEqual(['a 1', 'a 4', 'a 5']))
    // Versions are numbers, not texts; and what is gone stays gone, whatever a late answer says.
    informer.learn(item('a', 9, 6))
    informer.learn(item('never', 11))
    informer.learn(item('a', 11, 7, 'another'))
    show(line('DELETED', item('a', 12)))
    await until(() => expect(changes.at(-1)).toBe('a gone'))
    informer.learn(item('a', 11, 8))
    expect(changes).toEqual(['a 1', 'a 4', 'a 5', 'a gone'])
    expect(informer.get('a')).toBeNull()
  })
})

test('the informer keeps objects of one name in several namespaces apart', async () => {
  const at = (namespace: string, version: number) => {
    const { metadata, spec } = item('a', version, version, `uid-${namespace}`)
    return { metadata: { ...metadata, namespace }, spec }
  }
  await using opened = await open(
    [says(list(5, [at('one', 1), at('two', 2)]))],
    [(_asked, response) => response.write(line('DELETED', at('one', 6)))],
  )
  const { informer, changes } = opened
  await until(() => expect(changes).toEqual(['one/a 1', 'two/a 2', 'one/a gone']))
  informer.learn(at('two', 7))
  expect(informer.get('two/a')?.spec.size).toBe(7)
  expect(informer.get('a')).toBeNull()
})

describe('a kind that may be missing', () => {
  const missing = new Refusal('CLUSTER_NOT_FOUND', 'the server could not find it')

  test('has no objects, appears later, and goes again', async () => {
    let isThere = false
    const get = async () => {
      if (!isThere) throw missing
      return list(5, [item('a', 1)])
    }
    const gone = Promise.withResolvers<never>()
    async function* watch() {
      yield await gone.promise
    }
    const told: string[] = []
    const log = pino({ level: 'warn' }, { write: (text: string) => void told.push(text) })
    const ground = { log, now: Date.now, random: () => 0, api: { get, watch } }
    const options = { ...ground, path: '/things', schema, mayBeMissing: true }
    const informer = new Informer<Item>(options)
    const stop = new AbortController()
    const ended = informer.run(stop.signal)
    await until(() => expect(informer.isSynced).toBe(true))
    expect([...informer.items()]).toEqual([])
    isThere = true
    await until(() => expect(informer.get('a')).not.toBeNull())
    isThere = false
    gone.reject(missing)
    await until(() => expect(informer.get('a')).toBeNull())
    stop.abort()
    await ended
    expect(told).toEqual([])
    expect(informer.trouble).toBeNull()
  })
})

test('an informer of one object lists and watches only that', async () => {
  const asked: Query[] = []
  const stop = new AbortController()
  const get = async (_path: string, query: Query) => {
    asked.push(query)
    return list(5, [item('one', 1)])
  }
  async function* watch(_path: string, query: Query) {
    asked.push(query)
    yield { type: 'BOOKMARK', object: { metadata: { resourceVersion: '6' } } }
    stop.abort()
  }
  const ground = { log: pino({ level: 'silent' }), now: Date.now, random: () => 0 }
  const fieldSelector = 'metadata.name=one'
  const path = '/things'
  const informer = new Informer({ api: { get, watch }, path, schema, fieldSelector, ...ground })
  await informer.run(stop.signal)
  expect(asked).toMatchObject([
    { fieldSelector, limit: '500' },
    { fieldSelector, resourceVersion: '5' },
  ])
})

describe('the patience of the informer', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test('lasts as long as the API server asks for, and grows to ten seconds', async () => {
    const times: number[] = []
    const get = async () => {
      times.push(performance.now())
      const retryAfter = times.length === 1 ? { retryAfter: 7000 } : {}
      throw new Outage('CLUSTER_UNAVAILABLE', 'busy', retryAfter)
    }
    async function* watch() {}
    const ground = { log: pino({ level: 'silent' }), now: Date.now, random: () => 1 }
    const informer = new Informer({ api: { get, watch }, path: '/things', schema, ...ground })
    const stop = new AbortController()
    const ended = informer.run(stop.signal)
    await vi.advanceTimersByTimeAsync(60_000)
    stop.abort()
    await ended
    const waits = times.slice(1).map((time, index) => time - (times[index] ?? 0))
    expect(waits).toEqual([7000, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000, 10_000])
  })
})
