import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { startPeer } from '../support/clients-daemon.ts'
import { clientHome } from '../support/clients.ts'
import { needs } from '../support/programs.ts'
import { imageManifest } from '../support/push-content.ts'
import { Receiver, type Notification } from '../support/receiver.ts'
import { expectStatus, RegistryClient } from '../support/registry-client.ts'
import { startService } from '../support/service.ts'
import { writeSubscribers } from '../support/subscribers.ts'

const able = needs('docker-registry', 'apt-get install docker-registry')

/** Of blobs and pulls the service tells nothing. */
const ofManifests = ({ action, target }: Notification) =>
  action === 'delete' || (action === 'push' && String(target['mediaType']).includes('manifest'))

/** Names of all fields, however deep, with the types of their values; in lists, of the first. */
function shapeOf(value: unknown, path = ''): readonly string[] {
  if (Array.isArray(value)) return shapeOf(value[0], `${path}[]`)
  if (typeof value !== 'object' || value === null) return [`${path}: ${typeof value}`]
  return Object.entries(value)
    .flatMap(([name, inner]) => shapeOf(inner, `${path}.${name}`))
    .toSorted()
}

describe.skipIf(!able)(
  'what docker-registry tells others, and the service in the same form',
  () => {
    const resources = new AsyncDisposableStack()
    const told: { peer: Receiver; service: Receiver }[] = []
    let digest = ''

    beforeAll(async () => {
      const home = resources.use(await clientHome())
      const peerHears = resources.use(await Receiver.start())
      const serviceHears = resources.use(await Receiver.start())
      told.push({ peer: peerHears, service: serviceHears })
      const peer = resources.use(await startPeer(home, { notifies: peerHears.url() }))
      const file = await writeSubscribers(home.path, [
        { name: 'registry', url: serviceHears.url(), form: 'distribution' },
      ])
      const service = resources.use(await startService({ SLIPWAY_SUBSCRIBERS_FILE: file }))
      for (const base of [peer.base, service.base]) digest = await play(base)
      for (const receiver of [peerHears, serviceHears]) {
        await receiver.until(({ notifications }) => notifications.filter(ofManifests).length >= 2)
      }
    })
    afterAll(() => resources.disposeAsync())

    /** Pushes a manifest by a tag and deletes it. */
    async function play(base: string): Promise<string> {
      const client = new RegistryClient(() => base)
      const parts = await Promise.all(
        ['{}', 'a layer'].map(async (text) => {
          const bytes = Buffer.from(text)
          return { digest: await client.push('team/a', bytes), size: bytes.length }
        }),
      )
      const [config = { digest: '', size: 0 }, ...layers] = parts
      const { bytes, mediaType } = imageManifest(config, layers)
      const put = await client.putManifest('team/a', { bytes, mediaType, reference: 'one' })
      await expectStatus(put, 201)
      await expectStatus(await client.manifest('DELETE', 'team/a', digestOf(bytes)), 202)
      return digestOf(bytes)
    }

    test.each(['push', 'delete'])('of a %s have the same fields', (action) => {
      const [{ peer, service } = { peer: null, service: null }] = told
      const of = (receiver: Receiver | null) =>
        receiver?.notifications.filter(ofManifests).find((one) => one.action === action)
      const [theirs, ours] = [of(peer), of(service)]
      expect(shapeOf(ours)).toEqual(shapeOf(theirs))
      expect(ours?.target).toMatchObject({ repository: 'team/a', digest })
      const { url: _theirs, ...same } = theirs?.target ?? {}
      expect(ours?.target).toMatchObject(same)
      expect(ours?.request).toMatchObject({ method: theirs?.request['method'] })
      expect(ours?.request['useragent']).toBe(theirs?.request['useragent'])
    })

    test('are sent in the same way', () => {
      const [{ peer, service } = { peer: null, service: null }] = told
      const [theirs, ours] = [peer?.taken[0], service?.taken[0]]
      expect(ours?.headers['content-type']).toBe(theirs?.headers['content-type'])
      expect(ours?.headers['content-length']).toBe(String(ours?.body.length))
    })
  },
)
