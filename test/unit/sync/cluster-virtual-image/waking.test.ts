import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { Rest } from '../../../../src/client/rest.ts'
import { Refusal } from '../../../../src/errors.ts'
import { statusSchema } from '../../../../src/image/status.ts'
import { ClusterVirtualImages } from '../../../../src/sync/cluster-virtual-image.ts'
import { Informer } from '../../../../src/sync/kube/informer.ts'
import type { Changed, Mirrored } from '../../../../src/sync/mirror.ts'
import { clusterVirtualImageSchema, resourcesPath } from '../../../../src/sync/resource.ts'
import { ClusterStandIn } from '../../../support/cluster-stand-in.ts'

const log = pino({ level: 'silent' })
const never = new AbortController().signal

/** What is looked at, and when again: nothing is done but by the test, with a service that says what the test says. */
class Play implements AsyncDisposable {
  readonly api = new ClusterStandIn()
  readonly woken = new Set<string>()
  readonly mirrored = new Map<string, Mirrored>()
  readonly asked: string[] = []
  isAway = false
  now = 1_000_000
  answer = { status: 404, body: '{"code": "IMAGE_NOT_FOUND", "detail": "none"}' }
  readonly informer: Informer<ReturnType<typeof clusterVirtualImageSchema.parse>>
  readonly images: ClusterVirtualImages
  readonly #stop = new AbortController()
  readonly #server: Server
  readonly #running: Promise<void>
  #changed: Changed = () => undefined

  private constructor(server: Server, base: string) {
    this.#server = server
    server.on('request', (request, response) => {
      this.asked.push(`${request.method} ${request.url}`)
      const { status, body } = this.answer
      response.writeHead(status, { 'content-type': 'application/json' }).end(body)
    })
    const shared = { log, now: () => this.now, random: () => 0, api: this.api }
    const schema = clusterVirtualImageSchema
    this.informer = new Informer({ ...shared, path: resourcesPath, schema })
    const at = () => this.isAway
    this.images = new ClusterVirtualImages({
      ...shared,
      rest: new Rest({ base, token: () => Promise.resolve(null), userAgent: 'test' }),
      mirror: {
        get: (name) => this.mirrored.get(name) ?? null,
        get isAway() {
          return at()
        },
        isSynced: true,
        trouble: null,
        watch: (changed) => {
          this.#changed = changed
          return () => undefined
        },
      },
      resources: this.informer,
      queue: {
        add: (name) => void this.woken.add(name),
        addAfter: () => undefined,
        retry: () => undefined,
        forget: () => undefined,
      },
    })
    this.images.watch()
    this.#running = this.informer.run(this.#stop.signal)
  }

  static async open(): Promise<Play> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const play = new Play(server, `http://127.0.0.1:${address.port}`)
    await expect.poll(() => play.informer.isSynced).toBe(true)
    return play
  }

  /** @returns its uid, when the companion knows of it */
  async apply(name: string, dataSource: Record<string, unknown>): Promise<string> {
    const uid = this.api.apply(name, dataSource)
    await expect.poll(() => this.informer.get(name)?.metadata.uid).toBe(uid)
    return uid
  }

  say(name: string, ownerUid: string, phase: string, time = 1): void {
    const shared = { status: 'False', message: '', observedGeneration: 1 } as const
    const lastTransitionTime = `2026-01-01T00:00:0${time}.000Z`
    const one = { ...shared, reason: phase, lastTransitionTime }
    const conditions = [
      { ...one, type: 'DatasourceReady' },
      { ...one, type: 'Ready' },
    ]
    const target = { registryURL: 'x' }
    const status = statusSchema.parse({ phase, target, conditions })
    this.mirrored.set(name, { name, uid: `image of ${ownerUid}`, ownerUid, status })
    this.#changed(name)
  }

  sayAll(): void {
    this.#changed(null)
  }

  async look(name: string): Promise<void> {
    await this.images.reconcile(name, never)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

const refer = (name: string, kind = 'ClusterVirtualImage') => ({
  type: 'ObjectRef',
  objectRef: { kind, name },
})

test('who waits for another one is woken, also while the service has an image of its predecessor', async () => {
  await using play = await Play.open()
  const a = await play.apply('a', { type: 'Upload' })
  await play.apply('b', refer('a'))
  play.say('b', 'an earlier one', 'Ready')
  play.say('a', a, 'Provisioning')
  await play.look('b')
  expect(play.api.conditionOf('b')?.message).toMatch(/"a" is Provisioning/)
  play.woken.clear()
  play.say('a', a, 'Ready')
  expect(play.woken).toContain('b')
})

test('nothing is made of what is being deleted, nor of what failed here', async () => {
  await using play = await Play.open()
  const a = await play.apply('a', { type: 'Upload' })
  await play.apply('b', refer('a'))
  play.say('a', a, 'Ready')
  await play.look('a')
  play.api.delete('a')
  await expect.poll(() => play.informer.get('a')?.metadata.deletionTimestamp).toBeTruthy()
  await play.look('b')
  expect(play.api.conditionOf('b')?.message).toMatch(/"a" is Terminating/)
  await play.apply('c', refer('d', 'VirtualDisk'))
  await play.apply('d', refer('c'))
  await play.look('c')
  await play.look('d')
  expect(play.api.statusOf('c').phase).toBe('Failed')
  expect(play.api.conditionOf('d')?.message).toMatch(/"c" is Failed/)
  expect(play.asked).toEqual([])
})

test('what the service refuses is asked for again when the service is another one', async () => {
  await using play = await Play.open()
  play.answer = { status: 422, body: '{"code": "SOURCE_FORBIDDEN", "detail": "not allowed"}' }
  await play.apply('a', { type: 'HTTP', http: { url: 'http://x/' } })
  const posts = () => play.asked.filter((asked) => asked.startsWith('POST')).length
  await play.look('a')
  await play.look('a')
  expect([posts(), play.api.statusOf('a').phase]).toEqual([1, 'Failed'])
  const before = play.api.conditionOf('a')
  play.now += 60_000
  play.sayAll()
  await play.look('a')
  expect(posts()).toBe(2)
  expect(play.api.conditionOf('a')).toEqual(before)
})

test('what an image became just before the service went is told as an event, too', async () => {
  await using play = await Play.open()
  const a = await play.apply('a', { type: 'Upload' })
  play.say('a', a, 'Provisioning')
  await play.look('a')
  play.say('a', a, 'Ready', 2)
  play.isAway = true
  play.woken.clear()
  await play.look('a')
  expect(play.woken).toContain('a')
  await play.look('a')
  expect(play.api.conditionOf('a')?.status).toBe('Unknown')
  play.isAway = false
  await play.look('a')
  expect(play.api.statusOf('a').phase).toBe('Ready')
  expect(play.api.events).toEqual(['DataSourceImportStarted', 'DataSourceImportCompleted'])
})

test('a status that is refused keeps no resource from going', async () => {
  await using play = await Play.open()
  const a = await play.apply('a', { type: 'Upload' })
  play.say('a', a, 'Ready')
  await play.look('a')
  play.api.refuse(/status$/, new Refusal('CLUSTER_REFUSED', 'status.phase is too long'))
  play.api.delete('a')
  await expect.poll(() => play.informer.get('a')?.metadata.deletionTimestamp).toBeTruthy()
  await play.look('a')
  expect(play.api.resource('a')).toBeNull()
})

test('a clock that is set back holds no status back', async () => {
  await using play = await Play.open()
  const a = await play.apply('a', { type: 'Upload' })
  play.say('a', a, 'Provisioning')
  await play.look('a')
  play.now -= 3_600_000
  const image = play.mirrored.get('a')
  if (!image) throw new Error('it was said')
  play.mirrored.set('a', { ...image, status: { ...image.status, progress: '50%' } })
  await play.look('a')
  expect(play.api.statusOf('a')).toMatchObject({ progress: '50%' })
})
