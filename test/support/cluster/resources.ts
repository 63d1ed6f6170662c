import { EventEmitter, once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { statusSchema } from '../../../src/image/status.ts'
import type { Api } from './api.ts'

export const collection = '/apis/virtualization.deckhouse.io/v1alpha2/clustervirtualimages'

/** How long a resource may take to get where a test wants it, in milliseconds. */
const usually = 40_000
/** Between two attempts to reach an API server that is away, in milliseconds. */
const between = 50

const resourceSchema = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    generation: z.int(),
    labels: z.record(z.string(), z.string()).optional(),
    finalizers: z.array(z.string()).optional(),
    deletionTimestamp: z.string().optional(),
  }),
  status: statusSchema
    .partial()
    .extend({ sourceUID: z.string().optional(), observedGeneration: z.int().optional() })
    .optional(),
})
export type Resource = z.output<typeof resourceSchema>

const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  items: z.array(resourceSchema),
})

const changeSchema = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['ADDED', 'MODIFIED', 'DELETED']), object: resourceSchema }),
  z.object({ type: z.literal('ERROR'), object: z.unknown() }),
])

const eventSchema = z.object({
  metadata: z.object({ name: z.string() }),
  involvedObject: z.object({ uid: z.string(), name: z.string() }),
  reason: z.string(),
  message: z.string(),
})
export type ClusterEvent = z.output<typeof eventSchema>

export type DataSource = { readonly type: string; readonly [section: string]: unknown }

/** All ClusterVirtualImages of a cluster, with every version that the API server told, over its outages too. */
export class Resources implements AsyncDisposable {
  readonly #api: Api
  readonly #now = new Map<string, Resource>()
  readonly #told: Resource[] = []
  readonly #news = new EventEmitter().setMaxListeners(0)
  readonly #controller = new AbortController()
  #isListed = false
  #watching: Promise<void> = Promise.resolve()

  private constructor(api: Api) {
    this.#api = api
  }

  static async watch(api: Api): Promise<Resources> {
    const resources = new Resources(api)
    resources.#watching = resources.#watch(resources.#controller.signal)
    // A definition that is new is refused with 429 for a moment.
    await resources.#when(() => resources.#isListed, 'the list', usually)
    return resources
  }

  async create(name: string, dataSource: DataSource): Promise<Resource> {
    const apiVersion = 'virtualization.deckhouse.io/v1alpha2'
    const spec = { dataSource }
    const body = { apiVersion, kind: 'ClusterVirtualImage', metadata: { name }, spec }
    return resourceSchema.parse(await this.#api.done(collection, { method: 'POST', body }))
  }

  /** Asks for the deletion; the finalizer may hold it. */
  async delete(name: string): Promise<void> {
    await this.#api.done(`${collection}/${name}`, { method: 'DELETE' })
  }

  /** Resolves when it has been deleted to the end. */
  async deleted(name: string, limit = usually): Promise<void> {
    const { metadata } = this.#known(name)
    await this.#api.done(`${collection}/${name}`, { method: 'DELETE' })
    await this.gone(metadata.uid, limit)
  }

  async gone(uid: string, limit = usually): Promise<void> {
    const isThere = () => [...this.#now.values()].some(({ metadata }) => metadata.uid === uid)
    await this.#when(() => !isThere(), `${uid} is there`, limit)
  }

  /** As the API server told it last; null when there is none. */
  find(name: string): Resource | null {
    return this.#now.get(name) ?? null
  }

  get names(): readonly string[] {
    return [...this.#now.keys()].toSorted()
  }

  /** Every version of the resources of that name, the oldest first. */
  history(name: string): readonly Resource[] {
    return this.#told.filter(({ metadata }) => metadata.name === name)
  }

  async until(name: string, holds: (resource: Resource) => boolean, limit = usually) {
    const found = () => {
      const resource = this.#now.get(name)
      return resource !== undefined && holds(resource)
    }
    await this.#when(found, () => `${name} is ${JSON.stringify(this.#now.get(name))}`, limit)
    return this.#known(name)
  }

  /** @throws Error when it fails, with what its condition says */
  async ready(name: string, limit = usually): Promise<Resource> {
    return await this.reaches(name, 'Ready', limit)
  }

  async reaches(name: string, phase: string, limit = usually): Promise<Resource> {
    const holds = (resource: Resource) => {
      const is = resource.status?.phase
      if (is !== 'Failed' || phase === is) return is === phase
      throw new Error(`${name} is Failed: ${readiness(resource)?.message}`)
    }
    return await this.until(name, holds, limit)
  }

  /** What was said of a resource by events, the names of their reasons in order. */
  async events(uid: string): Promise<readonly ClusterEvent[]> {
    const path = `/api/v1/namespaces/default/events?fieldSelector=involvedObject.uid%3D${uid}`
    const list = z.object({ items: z.array(eventSchema) }).parse(await this.#api.done(path))
    return list.items.toSorted((a, b) => (a.reason < b.reason ? -1 : 1))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort()
    await this.#watching
  }

  #known(name: string): Resource {
    const resource = this.#now.get(name)
    if (resource) return resource
    throw new Error(`there is no ${name}`)
  }

  async #when(holds: () => boolean, what: string | (() => string), limit: number): Promise<void> {
    const signal = AbortSignal.timeout(limit)
    while (!holds()) {
      await once(this.#news, 'told', { signal }).catch(() => {
        throw new Error(`not within ${limit} ms: ${typeof what === 'string' ? what : what()}`)
      })
    }
  }

  async #list(): Promise<string> {
    const { metadata, items } = listSchema.parse(await this.#api.done(collection))
    const names = new Set(items.map((item) => item.metadata.name))
    for (const name of this.#now.keys()) if (!names.has(name)) this.#now.delete(name)
    for (const item of items) this.#take(item)
    this.#isListed = true
    this.#news.emit('told')
    return metadata.resourceVersion
  }

  /** A watch that ends begins with a list again. What ends it is the API server, which may be away for a while. */
  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const query = `watch=true&resourceVersion=${await this.#list()}`
        for await (const line of this.#api.lines(`${collection}?${query}`, signal)) this.#hear(line)
      } catch (error) {
        if (error instanceof z.ZodError) throw error
        await pause(between, null, { signal }).catch(() => null)
      }
    }
  }

  #hear(line: string): void {
    const change = changeSchema.parse(JSON.parse(line))
    if (change.type === 'ERROR') throw new Error(`the watch ended: ${line}`)
    if (change.type !== 'DELETED') return this.#take(change.object)
    this.#now.delete(change.object.metadata.name)
    this.#news.emit('told')
  }

  #take(resource: Resource): void {
    this.#now.set(resource.metadata.name, resource)
    this.#told.push(resource)
    this.#news.emit('told')
  }
}

export function readiness(resource: Resource | null) {
  return resource?.status?.conditions?.find(({ type }) => type === 'Ready') ?? null
}
