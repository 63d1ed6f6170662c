import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { Random } from '../support/random.ts'
import { Receiver, type Answer } from '../support/receiver.ts'
import { send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { Subscribers, writeSubscribers } from '../support/subscribers.ts'
import { temporaryFolder } from '../support/temporary.ts'

const rounds = 6
/** From the first request to the end of the service, in milliseconds at most. */
const longest = 900
const bytes = disk(mebibyte)

/** What was answered to clients, and so has happened, by image. */
type Promised = Map<string, string[]>

/** Images come and go until the service is away. */
async function live(service: Service, prefix: string, promised: Promised): Promise<void> {
  for (let n = 0; service.isRunning; n += 1) {
    const name = `${prefix}-${n}`
    const steps: string[] = []
    promised.set(name, steps)
    try {
      const url = await service.rest.createUpload(name)
      steps.push('image.created')
      if ((await send(url, bytes)).status !== 201) return
      steps.push('image.ready')
      await service.rest.delete(name)
      steps.push('image.deleted')
    } catch {
      return
    }
  }
}

/** The first times of each event. */
function firsts(receiver: Receiver, subject: string): readonly string[] {
  const seen = new Map(
    receiver.events
      .filter((event) => event.subject === subject)
      .toReversed()
      .map(({ id, type }) => [id, type.replace('dev.slipway.', '')]),
  )
  return [...seen.values()].toReversed()
}

test('a service that is killed again and again tells all that it has promised, in order', async () => {
  const random = new Random(7)
  await using held = new AsyncDisposableStack()
  const folder = held.use(await temporaryFolder())
  const receiver = held.use(await Receiver.start())
  const moody: readonly [Answer, ...Answer[]] = [
    { status: 204 },
    { status: 204 },
    { status: 500 },
    null,
  ]
  receiver.answer = () => random.pick(moody)
  const file = await writeSubscribers(folder.path, [
    {
      name: 'all',
      url: receiver.url(),
      form: 'cloudevents',
      events: ['image.*'],
      timeout: '200ms',
    },
  ])
  const service = held.use(await startService({ SLIPWAY_SUBSCRIBERS_FILE: file }))
  const subscribers = new Subscribers(() => service.base)
  const promised: Promised = new Map()
  for (let round = 0; round < rounds; round += 1) {
    const clients = [1, 2, 3].map((n) => live(service, `r${round}-${n}`, promised))
    await Promise.race([pause(random.below(longest)), ...clients])
    await service.kill()
    await Promise.all(clients)
    await service.start()
    if (round % 2 === 0) await subscribers.post('/all/redeliver')
  }
  receiver.answer = () => ({ status: 204 })
  await expect
    .poll(
      async () => {
        await subscribers.post('/all/redeliver')
        return (await subscribers.of('all')).waiting
      },
      { timeout: 60_000 },
    )
    .toBe(0)
  const all = [...promised].filter(([, steps]) => steps.length > 0)
  expect(all.length).toBeGreaterThan(rounds)
  for (const [name, steps] of all) {
    const told = firsts(receiver, name)
    expect(told.slice(0, steps.length), name).toEqual(steps)
    expect(new Set(told).size, name).toBe(told.length)
  }
  expect((await subscribers.of('all')).undelivered).toBe(0)
})
