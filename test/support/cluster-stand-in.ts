import { randomUUID } from 'node:crypto'
import { EventEmitter, on } from 'node:events'
import { Refusal, type Failure } from '../../src/errors.ts'
import type { ClusterApi, PatchKind, Query } from '../../src/kube/cluster-api.ts'
import { apiVersion, kind, resourcesPath } from '../../src/sync/resource.ts'

type Fields = Record<string, unknown>
type Condition = {
  readonly type: string
  readonly status?: string
  readonly reason?: string
  readonly message?: string
}
type Status = Fields & { readonly phase?: string; readonly conditions?: readonly Condition[] }
type Metadata = Fields & {
  name: string
  uid: string
  resourceVersion: string
  finalizers?: string[]
  deletionTimestamp?: string
}
export type StoredObject = Fields & { metadata: Metadata; status?: Status }

export type Asked = {
  readonly verb: string
  readonly path: string
  readonly body: Fields
  readonly query: Query
}

/**
 * The API server in memory, as far as the companion's steps look at it: versions, conflicts, finalizers, statuses, a watch.
 * What Kubernetes itself does with these is tried in `test/cluster`.
 */
export class ClusterStandIn implements ClusterApi {
  /** Called for each request to it, before anything is done and again before it is answered; may throw. */
  onRequest: (when: 'before' | 'after') => void = () => undefined
  /** What was asked for, but for watches. */
  readonly asked: Asked[] = []
  readonly #objects = new Map<string, StoredObject>()
  readonly #news = new EventEmitter()
  readonly #refusals: { readonly path: RegExp; readonly failure: Failure }[] = []
  #version = 0

  /** From now on; the first that fits holds. */
  refuse(path: RegExp, failure: Failure): () => void {
    const refusal = { path, failure }
    this.#refusals.unshift(refusal)
    return () => void this.#refusals.splice(this.#refusals.indexOf(refusal), 1)
  }

  /** A ClusterVirtualImage, as a user applies it. @returns its uid */
  apply(name: string, dataSource: Fields): string {
    const path = `${resourcesPath}/${name}`
    const metadata = { name, uid: randomUUID(), generation: 1, resourceVersion: '' }
    this.#put(path, { apiVersion, kind, metadata, spec: { dataSource } }, 'ADDED')
    return metadata.uid
  }

  /** Anything at all, as a user applies it: what is there already keeps its uid, and its generation grows with its spec. */
  put(path: string, fields: Fields): StoredObject {
    const before = this.#objects.get(path)
    const name = path.split('/').at(-1) ?? ''
    const namespace = /\/namespaces\/([^/]+)\//.exec(path)?.[1]
    const fresh: Metadata = { name, uid: randomUUID(), resourceVersion: '' }
    const { generation = 0, ...kept } = before?.metadata ?? fresh
    const given = fields['metadata'] as Fields | undefined
    const isOther = JSON.stringify(before?.['spec']) !== JSON.stringify(fields['spec'])
    const metadata: Metadata = {
      ...fresh,
      ...kept,
      ...given,
      name,
      ...(namespace !== undefined && { namespace }),
      generation: Number(generation) + Number(isOther),
    }
    const type = before ? 'MODIFIED' : 'ADDED'
    return this.#put(path, { ...before, ...fields, metadata }, type)
  }

  at(path: string): StoredObject | null {
    return this.#objects.get(path) ?? null
  }

  /** As `kubectl delete --wait=false`. */
  delete(name: string, collection = resourcesPath): void {
    const path = `${collection}/${name}`
    const object = this.#demand(path)
    const deletionTimestamp = '2026-01-01T00:00:00Z'
    this.#change(path, { ...object, metadata: { ...object.metadata, deletionTimestamp } })
  }

  /** Whatever finalizers there are. */
  deleteByForce(name: string, collection = resourcesPath): void {
    const path = `${collection}/${name}`
    const object = this.#demand(path)
    this.#change(path, {
      ...object,
      metadata: { ...object.metadata, finalizers: [], deletionTimestamp: '2026-01-01T00:00:00Z' },
    })
  }

  putSecret(namespace: string, name: string, data: Record<string, string>, type = 'Opaque'): void {
    const path = `/api/v1/namespaces/${namespace}/secrets/${name}`
    const coded = Object.entries(data).map(([key, text]) => [
      key,
      Buffer.from(text).toString('base64'),
    ])
    const metadata = { name, uid: `uid of ${name}`, resourceVersion: '' }
    this.#put(path, { metadata, type, data: Object.fromEntries(coded) }, 'ADDED')
  }

  resource(name: string): StoredObject | null {
    return this.#objects.get(`${resourcesPath}/${name}`) ?? null
  }

  statusOf(name: string): Status {
    return this.resource(name)?.status ?? {}
  }

  conditionOf(name: string, type = 'Ready') {
    return this.statusOf(name).conditions?.find((condition) => condition.type === type)
  }

  /** Reasons of the cluster's events, in order. */
  get events(): readonly string[] {
    const all = [...this.#objects.entries()].filter(([path]) => path.includes('/events/'))
    return all.map(([, { reason }]) => String(reason))
  }

  async get(path: string, query: Query, signal: AbortSignal): Promise<unknown> {
    this.#enter('get', path, {}, query, signal)
    if (!collections.test(path)) return structuredClone(this.#demand(path))
    const items = [...this.#objects.entries()].filter(([at]) => isIn(path, at, query))
    return {
      metadata: { resourceVersion: String(this.#version) },
      items: items.map(([, object]) => structuredClone(object)),
    }
  }

  async create(path: string, body: object, signal: AbortSignal): Promise<unknown> {
    const object = structuredClone(body) as StoredObject
    this.#enter('create', path, object, {}, signal)
    const at = `${path}/${object.metadata.name}`
    if (this.#objects.has(at)) throw new Refusal('CLUSTER_EXISTS', `${at} exists`)
    const metadata = { ...object.metadata, uid: randomUUID() }
    const created = this.#put(at, { ...object, metadata }, 'ADDED')
    this.onRequest('after')
    return created
  }

  async replace(): Promise<unknown> {
    throw new Error('the steps replace nothing')
  }

  async patch(
    path: string,
    patch: PatchKind,
    body: object,
    query: Query,
    signal: AbortSignal,
  ): Promise<unknown> {
    const change = structuredClone(body) as StoredObject
    this.#enter(patch, path, change, query, signal)
    const at = path.replace(/\/status$/, '')
    const object = this.#demand(at)
    for (const field of ['uid', 'resourceVersion'] as const) {
      const wanted = change.metadata[field]
      if (wanted !== undefined && wanted !== object.metadata[field]) {
        throw new Refusal('CLUSTER_CONFLICT', `${field} of ${at} differs`)
      }
    }
    const changed =
      patch === 'apply'
        ? { ...object, status: change.status ?? {} }
        : merged(object, change, at !== path)
    const stored = this.#change(at, changed)
    this.onRequest('after')
    return stored
  }

  async *watch(path: string, query: Query, signal: AbortSignal): AsyncGenerator {
    const news = on(this.#news, 'news', { signal })
    const since = Number(query['resourceVersion'])
    for (const [at, object] of this.#objects) {
      const isMissed = isIn(path, at, query) && Number(object.metadata.resourceVersion) > since
      if (isMissed) yield { type: 'MODIFIED', object: structuredClone(object) }
    }
    for await (const [at, line] of news) if (isIn(path, String(at), query)) yield line
  }

  #enter(verb: string, path: string, body: Fields, query: Query, signal: AbortSignal): void {
    signal.throwIfAborted()
    this.asked.push({ verb, path, body, query })
    const refusal = this.#refusals.find((refusal) => refusal.path.test(`${verb} ${path}`))
    if (refusal) throw refusal.failure
    this.onRequest('before')
  }

  #demand(path: string): StoredObject {
    const object = this.#objects.get(path)
    if (object) return object
    throw new Refusal('CLUSTER_NOT_FOUND', `there is no ${path}`)
  }

  #change(path: string, object: StoredObject): StoredObject {
    const { deletionTimestamp, finalizers = [] } = object.metadata
    const isGone = deletionTimestamp !== undefined && finalizers.length === 0
    return this.#put(path, object, isGone ? 'DELETED' : 'MODIFIED')
  }

  #put(path: string, object: StoredObject, type: string): StoredObject {
    this.#version += 1
    const metadata = { ...object.metadata, resourceVersion: String(this.#version) }
    const stored = structuredClone({ ...object, metadata })
    if (type === 'DELETED') this.#objects.delete(path)
    else this.#objects.set(path, stored)
    this.#news.emit('news', path, { type, object: structuredClone(stored) })
    return structuredClone(stored)
  }
}

const collections =
  /\/(?:clustervirtualimages|virtualmachineclasses|virtualmachines|nodes|secrets|\w+webhookconfigurations)$/

/** Collections are asked for over all namespaces, or in one. */
function isIn(collection: string, path: string, { fieldSelector }: Query): boolean {
  const name = fieldSelector?.replace('metadata.name=', '')
  if (name !== undefined && path.split('/').at(-1) !== name) return false
  return [path, path.replace(/\/namespaces\/[^/]+/, '')].some((at) =>
    at.startsWith(`${collection}/`),
  )
}

/** A status is changed by itself alone, and by nothing else. */
function merged(object: StoredObject, change: StoredObject, isStatus: boolean): StoredObject {
  if (isStatus) return { ...object, status: mergedFields(object.status ?? {}, change.status ?? {}) }
  const fields = Object.entries(change).filter(([name]) => name !== 'status')
  return mergedFields(object, Object.fromEntries(fields)) as StoredObject
}

/** RFC 7396. */
function mergedFields(fields: Fields, change: Fields): Fields {
  const result = { ...fields }
  for (const [name, value] of Object.entries(change)) {
    if (value === null) delete result[name]
    else result[name] = isFields(value) ? mergedFields(fieldsOf(fields[name]), value) : value
  }
  return result
}

function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {}
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
