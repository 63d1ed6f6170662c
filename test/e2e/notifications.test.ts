import { HTTP } from 'cloudevents'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Receiver, type Received } from '../support/receiver.ts'
import type { Service } from '../support/service.ts'
import {
  allAndBroken,
  secret,
  startTelling,
  upload,
  type Entry,
  type Subscribers,
} from '../support/subscribers.ts'

/** @throws Error when it is not signed with this secret, now */
function verified({ headers, body }: Received, by = secret): unknown {
  const texts = Object.entries(headers).map(([name, value]) => [name, String(value)])
  return new Webhook(by).verify(body, Object.fromEntries(texts))
}

describe('others', () => {
  const resources = new AsyncDisposableStack()
  let receiver: Receiver
  let registry: Receiver
  let broken: Receiver
  let service: Service
  let subscribers: Subscribers
  const entries = (): readonly Entry[] => [
    ...allAndBroken(receiver, broken),
    { name: 'registry', url: registry.url(), form: 'distribution' },
  ]

  beforeAll(async () => {
    receiver = resources.use(await Receiver.start())
    registry = resources.use(await Receiver.start())
    broken = resources.use(await Receiver.start())
    ;({ service, subscribers } = await startTelling(resources, entries()))
  })
  afterAll(() => resources.disposeAsync())

  test('are told what happens to an image, in order, signed, and without its upload URL', async () => {
    await upload(service, 'debian')
    const ready = await service.rest.image('debian')
    await service.rest.delete('debian')
    await receiver.until(({ events }) => events.some(({ type }) => type.endsWith('image.deleted')))
    await receiver.until(() => receiver.typesOf('cvi/debian').length === 2)
    expect(receiver.typesOf('debian')).toEqual(['image.created', 'image.ready', 'image.deleted'])
    expect(receiver.typesOf('cvi/debian')).toEqual(['manifest.pushed', 'manifest.deleted'])
    for (const request of receiver.taken) {
      expect(request.path).toBe('/all?key=of-the-query')
      const { headers, body } = request
      expect(HTTP.toEvent({ headers, body })).toMatchObject({ source: service.base })
      expect(verified(request)).toMatchObject({ id: headers['webhook-id'] })
      expect(() => verified(request, `whsec_${Buffer.alloc(32).toString('base64')}`)).toThrow()
      expect(body).not.toContain('/upload/')
    }
    const [created, told] = receiver.events.filter(({ subject }) => subject === 'debian')
    expect(created?.data).toMatchObject({ name: 'debian', status: { phase: 'WaitForUserUpload' } })
    expect(told?.data).toEqual(ready)
    expect(new Set(receiver.events.map(({ id }) => id)).size).toBe(receiver.events.length)
  })

  test("are told in distribution's form that an image is to be had", async () => {
    const [push, gone] = registry.notifications
    const digest = expect.stringMatching(/^sha256:/)
    const reference = { mediaType: expect.any(String), size: expect.any(Number), digest }
    expect(push).toMatchObject({
      action: 'push',
      target: {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest,
        repository: 'cvi/debian',
        tag: 'latest',
        url: `${service.base}/v2/cvi/debian/manifests/${String(push?.target['digest'])}`,
        references: [reference, reference],
      },
    })
    expect(gone).toMatchObject({ action: 'delete', target: { digest, repository: 'cvi/debian' } })
    expect(registry.taken[0]?.headers['content-type']).toBe(
      'application/vnd.docker.distribution.events.v1+json',
    )
    expect(registry.taken[0]?.headers['webhook-signature']).toBeUndefined()
  })

  test('that hang hold up nobody else, and hear of it after a crash', async () => {
    broken.answer = () => null
    await upload(service, 'held-1')
    await broken.until(({ requests }) => requests.length === 1)
    await receiver.until(() => receiver.typesOf('held-1').includes('image.ready'))
    expect((await subscribers.of('broken')).waiting).toBe(1)
    broken.answer = () => ({ status: 200 })
    await service.kill()
    await service.start()
    await broken.until(({ taken }) => taken.length === 1)
    const [first, second] = broken.requests.map(({ headers }) => headers['webhook-id'])
    expect(second).toBe(first)
    await expect.poll(async () => (await subscribers.of('broken')).waiting).toBe(0)
    expect(receiver.typesOf('debian')).toHaveLength(3)
  })
})
