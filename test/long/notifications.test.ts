import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tokenOf, writeCallers } from '../support/callers.ts'
import { Receiver } from '../support/receiver.ts'
import { get } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import {
  allAndBroken,
  secret,
  startTelling,
  upload,
  writeSubscribers,
  type Subscribers,
} from '../support/subscribers.ts'

describe('subscribers', () => {
  const resources = new AsyncDisposableStack()
  let folder: string
  let receiver: Receiver
  let broken: Receiver
  let service: Service
  let subscribers: Subscribers
  const entries = () => allAndBroken(receiver, broken)

  beforeAll(async () => {
    receiver = resources.use(await Receiver.start())
    broken = resources.use(await Receiver.start())
    ;({ folder, service, subscribers } = await startTelling(resources, entries()))
  })
  afterAll(() => resources.disposeAsync())

  test('that refuse an event are not asked again, until an admin wants it', async () => {
    broken.answer = () => ({ status: 410 })
    await upload(service, 'held-2')
    await upload(service, 'held-3')
    await expect.poll(async () => (await subscribers.of('broken')).undelivered).toBe(2)
    const page = await subscribers.undelivered('broken', '?limit=1')
    expect(page.items).toMatchObject([
      { type: 'dev.slipway.image.ready', subject: 'held-2', tries: 1, problem: 'it answered 410' },
    ])
    const next = await subscribers.undelivered('broken', `?continue=${page.continue}`)
    expect(next.items.map(({ subject }) => subject)).toEqual(['held-3'])
    expect(next.continue).toBeUndefined()
    const before = broken.taken.length
    broken.answer = () => ({ status: 200 })
    const { id } = page.items[0] ?? { id: '' }
    expect(await subscribers.post('/broken/redeliver', { id })).toEqual({ events: 1 })
    await broken.until(({ taken }) => taken.length === before + 1)
    expect(broken.events.at(-1)).toMatchObject({ id, subject: 'held-2' })
    expect(await subscribers.post('/broken/redeliver', { id })).toMatchObject({ status: 404 })
    expect(await subscribers.post('/broken/redeliver')).toEqual({ events: 1 })
    await broken.until(({ taken }) => taken.length === before + 2)
  })

  test('that fail are asked again later, and a ping says whether they hear', async () => {
    broken.answer = () => ({ status: 503, headers: { 'retry-after': '300' } })
    await upload(service, 'held-4')
    await expect.poll(async () => (await subscribers.of('broken')).nextTry).toBeDefined()
    const { nextTry = '', problem, waiting } = await subscribers.of('broken')
    expect({ problem, waiting }).toEqual({ problem: 'it answered 503', waiting: 1 })
    expect(Date.parse(nextTry) - Date.now()).toBeGreaterThan(200_000)
    expect(await subscribers.post('/broken/ping')).toEqual({
      delivered: false,
      problem: 'it answered 503',
    })
    broken.answer = () => ({ status: 302, headers: { location: receiver.url('/elsewhere') } })
    expect(await subscribers.post('/broken/ping')).toMatchObject({
      problem: 'it answered 302, and redirects are not followed',
    })
    broken.answer = () => ({ status: 200 })
    expect(await subscribers.post('/broken/ping')).toEqual({ delivered: true })
    expect(await subscribers.post('/broken/redeliver')).toEqual({ events: 1 })
    await broken.until(({ events }) => events.some(({ subject }) => subject === 'held-4'))
    expect(receiver.requests.filter(({ path }) => path === '/elsewhere')).toEqual([])
    const text = await (await get(`${service.base}/metrics`)).text()
    expect(text).toContain('slipway_notifications_total{subscriber="broken",outcome="failed"} 1')
    expect(text).toContain('slipway_notifications_waiting{subscriber="all"} 0')
  })

  test('that are named while it runs are told from then on, and others no longer', async () => {
    const [all, ...rest] = entries()
    const changed = [
      ...rest,
      { ...all, name: 'new', url: receiver.url('/new'), form: 'cloudevents' },
    ] as const
    await writeSubscribers(folder, changed)
    await service.logs.line(({ msg }) => msg === 'a changed file was read again')
    await expect.poll(async () => await subscribers.post('/new/ping')).toEqual({ delivered: true })
    const before = receiver.requests.filter(({ path }) => path !== '/new').length
    await upload(service, 'late')
    await receiver.until(() => receiver.typesOf('late').includes('image.ready'))
    expect(receiver.requests.filter(({ path }) => path !== '/new')).toHaveLength(before)
    expect(service.logs.toString()).not.toContain('of-the-query')
    expect(service.logs.toString()).not.toContain(secret.slice('whsec_'.length))
  })

  test('are for admins to look at', async () => {
    const paths = await writeCallers(folder)
    await using service = await startService({ SLIPWAY_TOKENS_FILE: paths.tokens })
    const status = async (name: string) => {
      const headers = { authorization: `Bearer ${tokenOf(name)}` }
      return (await get(`${service.base}/api/v1/subscribers`, headers)).status
    }
    expect(await status('viewer')).toBe(403)
    expect(await status('editor')).toBe(403)
    expect(await status('admin')).toBe(200)
  })
})
