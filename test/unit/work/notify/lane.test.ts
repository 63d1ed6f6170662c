import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { pino } from 'pino'
import { Webhook } from 'standardwebhooks'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { noProxies } from '../../../../src/source/proxies.ts'
import { Lane } from '../../../../src/work/notify/lane.ts'
import type { Subscriber } from '../../../../src/work/notify/subscriber.ts'
import { newImage, openCatalog } from '../../../support/catalog.ts'
import { Receiver } from '../../../support/receiver.ts'
import { secret } from '../../../support/subscribers.ts'
import { temporaryFolder } from '../../../support/temporary.ts'

type Opened = Awaited<ReturnType<typeof openCatalog>>

const other = `whsec_${Buffer.alloc(24, 1).toString('base64')}`
const running = { phase: 'Provisioning', ready: { reason: 'Provisioning', message: '' } } as const
const failed = {
  phase: 'Failed',
  ready: { reason: 'ProvisioningFailed', message: 'no' },
} as const

describe('a lane', () => {
  let resources: AsyncDisposableStack
  let opened: Opened
  let receiver: Receiver
  let folder: string
  let outcomes: string[]
  let lane: Lane

  beforeEach(async () => {
    resources = new AsyncDisposableStack()
    opened = resources.use(await openCatalog())
    receiver = resources.use(await Receiver.start())
    folder = resources.use(await temporaryFolder()).path
    outcomes = []
    opened.catalog.noteFor(() => ['ci'])
    lane = open({})
  })
  afterEach(async () => {
    await lane.stop()
    await resources.disposeAsync()
  })

  function subscriber(more: Partial<Subscriber>): Subscriber {
    const all = ['**']
    return {
      name: 'ci',
      url: new URL(receiver.url()),
      form: 'cloudevents',
      events: all,
      images: all,
      repositories: all,
      secrets: [],
      secretFile: null,
      headersFile: null,
      caFile: null,
      timeout: 5000,
      ...more,
    }
  }

  function open(more: Partial<Subscriber>): Lane {
    const { catalog, clock } = opened
    return new Lane(subscriber(more), {
      catalog,
      sight: {
        own: () => ({ external: 'https://images.example.com', instance: 'one' }),
        show: async ({ name, phase }) => ({ name, phase }),
        parts: async () => null,
      },
      road: { proxies: noProxies, userAgent: 'slipway/test', now: clock.now },
      now: clock.now,
      steady: clock.now,
      random: () => 1,
      log: pino({ level: 'silent' }),
      count: (name, outcome) => outcomes.push(`${name} ${outcome}`),
    })
  }

  async function add(...names: readonly string[]): Promise<void> {
    await opened.catalog.transaction(async ({ images }) => {
      for (const name of names) await images.add(newImage(name))
    })
  }

  async function fail(name: string): Promise<void> {
    for (const change of [running, failed]) {
      await opened.catalog.transaction(({ images }) => images.change(`uid-${name}`, change))
    }
  }

  const backlog = () => opened.catalog.read.notices.backlog('ci')

  test('tells of each image in order, of several at the same time', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    await add(...names)
    for (const name of names) await fail(name)
    lane.look()
    await receiver.until(({ requests }) => requests.length === 12)
    for (const name of names) {
      expect(receiver.typesOf(name)).toEqual(['image.created', 'image.failed'])
    }
    await expect.poll(async () => (await backlog()).waiting).toBe(0)
    expect(outcomes).toEqual(Array.from({ length: 12 }, () => 'ci delivered'))
  })

  test.each(['{"type":"image.melted","subject":"a"}', 'no JSON'])(
    'puts aside what another version has written (%s), and tells the rest',
    async (text) => {
      const path = join(folder, 'catalog.sqlite')
      opened = resources.use(await openCatalog(opened.clock, path))
      opened.catalog.noteFor(() => ['ci'])
      lane = open({})
      await add('a', 'b')
      const database = new Sqlite(path)
      database.prepare("UPDATE notices SET note = ? WHERE subject = 'a'").run(text)
      database.close()
      await fail('a')
      lane.look()
      await expect.poll(backlog).toMatchObject({ waiting: 0, undelivered: 1 })
      expect(receiver.typesOf('a')).toEqual(['image.failed'])
      expect(receiver.typesOf('b')).toEqual(['image.created'])
      const [aside] = await opened.catalog.read.notices.undelivered('ci', 0, 10)
      expect(aside).toMatchObject({
        type: 'image.created',
        subject: 'a',
        problem: expect.stringContaining('cannot read it'),
      })
      expect(outcomes.toSorted()).toEqual(['ci delivered', 'ci delivered', 'ci undelivered'])
    },
  )

  test('lets one message go ahead after a failure, and the others when that has arrived', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    await add(...names)
    receiver.answer = () => ({ status: 500 })
    lane.look()
    await receiver.until(({ requests }) => requests.length === 4)
    await expect.poll(() => lane.seen.restUntil).toBe(opened.clock.now() + 5000)
    await expect.poll(() => outcomes).toHaveLength(4)
    opened.clock.advance(5000)
    lane.look()
    await receiver.until(({ requests }) => requests.length === 5)
    await expect.poll(() => lane.seen.restUntil).toBe(opened.clock.now() + 10_000)
    expect(receiver.requests).toHaveLength(5)
    receiver.answer = () => ({ status: 200 })
    opened.clock.advance(10_000)
    lane.look()
    await receiver.until(({ taken }) => taken.length === 6)
    expect(new Set(receiver.events.map(({ subject }) => subject))).toEqual(new Set(names))
    expect(lane.seen).toMatchObject({ restUntil: null, deliveredAt: opened.clock.now() })
  })

  test('gives a message up that has failed for three days', async () => {
    await add('a')
    receiver.answer = () => ({ status: 404 })
    opened.clock.advance(3 * 86_400_000 - 1)
    lane.look()
    await expect.poll(() => outcomes).toEqual(['ci failed'])
    opened.clock.advance(5000)
    lane.look()
    await expect.poll(() => outcomes).toEqual(['ci failed', 'ci undelivered'])
    expect(await backlog()).toEqual({ waiting: 0, undelivered: 1, oldest: null })
  })

  test('tries again when the clock was years ahead as it failed', async () => {
    const { clock } = opened
    const right = clock.now()
    clock.advance(10 * 365 * 86_400_000)
    await add('a')
    receiver.answer = () => ({ status: 500 })
    lane.look()
    await expect.poll(() => outcomes).toEqual(['ci failed'])
    await expect.poll(() => lane.seen.restUntil).toBe(clock.now() + 5000)
    clock.time = right
    receiver.answer = () => ({ status: 204 })
    await expect
      .poll(() => {
        lane.look()
        return outcomes
      })
      .toEqual(['ci failed', 'ci delivered'])
  })

  test('signs with all secrets of a file as it is now, and shows its headers', async () => {
    await lane.stop()
    opened.clock.time = Date.now()
    const secretFile = join(folder, 'secrets')
    const headersFile = join(folder, 'headers')
    await writeFile(secretFile, `${secret}\n# the next one\n${other}\n`)
    await writeFile(headersFile, 'Authorization: Bearer of-the-receiver\n')
    lane = open({ secretFile, headersFile })
    expect(await lane.ping(AbortSignal.timeout(5000))).toEqual({ kind: 'delivered' })
    await writeFile(secretFile, `${other}\n`)
    expect(await lane.ping(AbortSignal.timeout(5000))).toEqual({ kind: 'delivered' })
    const [both, last] = receiver.requests.map(({ headers, body }) => {
      expect(headers.authorization).toBe('Bearer of-the-receiver')
      const texts = Object.entries(headers).map(([name, value]) => [name, String(value)])
      const isBy = (key: string) => {
        try {
          return Boolean(new Webhook(key).verify(body, Object.fromEntries(texts)))
        } catch {
          return false
        }
      }
      return [isBy(secret), isBy(other)]
    })
    expect([both, last]).toEqual([
      [true, true],
      [false, true],
    ])
    await writeFile(secretFile, 'of-nobody\n')
    expect(await lane.ping(AbortSignal.timeout(5000))).toMatchObject({
      kind: 'failed',
      problem: `secretFile is "${secretFile}": line 1 is no whsec_ secret`,
    })
    await rm(secretFile)
    expect(await lane.ping(AbortSignal.timeout(5000))).toMatchObject({
      problem: `secretFile is "${secretFile}": it cannot be read (ENOENT)`,
    })
  })

  test('has delivered what was answered, though the body of the answer never comes', async () => {
    await lane.stop()
    receiver.answer = () => ({ status: 200, headers: { 'content-length': '1000' } })
    lane = open({ timeout: 500 })
    expect(await lane.ping(AbortSignal.timeout(5000))).toEqual({ kind: 'delivered' })
  })

  test('says why nobody answers, and shows no secret of the URL', async () => {
    await lane.stop()
    const url = new URL(receiver.url('/hook?key=of-the-query'))
    receiver.answer = () => null
    lane = open({ url, timeout: 500 })
    const ping = async () => await lane.ping(AbortSignal.timeout(5000))
    expect(await ping()).toMatchObject({ problem: `${url.host} did not answer within 0.5 s` })
    await receiver[Symbol.asyncDispose]()
    const refused = `no answer from ${url.host}: it refuses connections`
    expect(await ping()).toMatchObject({ problem: refused })
  })
})
