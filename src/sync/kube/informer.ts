import { z } from 'zod'
import { asFailure, Refusal, type Failure } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { backoff, pause } from '../../client/pause.ts'
import { checked, statusFailure } from '../../kube/answers.ts'
import type { ClusterApi, Metadata, Query } from '../../kube/cluster-api.ts'

type Named = { readonly metadata: Metadata }

export type InformerOptions<Item extends Named> = {
  readonly api: Pick<ClusterApi, 'get' | 'watch'>
  /** Of the collection. */
  readonly path: string
  readonly schema: z.ZodType<Item>
  readonly log: Log
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly random: () => number
  /** Objects a page, at first; 500 unless given. */
  readonly page?: number
  /** Whether the cluster may have no such kind, or get it later: then there are no objects. */
  readonly mayBeMissing?: boolean
  /** Of all objects, those it fits: `metadata.name=one`. */
  readonly fieldSelector?: string
}

/** @param name with the namespace before it, where there is one: `default/vm` */
export type Changed<Item> = (name: string, item: Item | null) => void

/** Objects a page, at first, and at least where they are so large that fewer fit into an answer. */
const [page, leastPage] = [500, 4]
/** Before the first further attempt, and the most, in milliseconds. */
const first = 100
const longest = 10_000
/** A watch ends after so many seconds and up to as many more, so that not all watches end at once. */
const watched = 300

const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(z.unknown()),
})
const eventSchema = z.object({ type: z.string(), object: z.unknown() })
const bareSchema = z.object({
  metadata: z.object({
    name: z.string().default(''),
    namespace: z.string().optional(),
    resourceVersion: z.string(),
  }),
})

function keyOf({ name, namespace }: Pick<Metadata, 'name' | 'namespace'>): string {
  return namespace === undefined ? name : `${namespace}/${name}`
}

/** A collection of objects, kept as the API server has it: listed once, and then watched for as long as the signal lasts. */
export class Informer<Item extends Named> {
  readonly #options: InformerOptions<Item>
  /** Of each list and each watch. */
  readonly #selected: Query
  readonly #watchers = new Set<Changed<Item>>()
  /** Names of what the schema refuses, each told once a list. */
  readonly #refused = new Set<string>()
  #items = new Map<string, Item>()
  /** From where the watch goes on; null before the first list and when the API server keeps it no more. */
  #version: string | null = null
  #isSynced = false
  #trouble: string | null = null
  #heardAt: number | null = null
  #page: number

  constructor(options: InformerOptions<Item>) {
    this.#options = options
    this.#page = options.page ?? page
    const { fieldSelector } = options
    this.#selected = fieldSelector === undefined ? {} : { fieldSelector }
  }

  /** Whether the whole collection has been told once. */
  get isSynced(): boolean {
    return this.#isSynced
  }

  /** Why the API server tells nothing at present; null while it does. */
  get trouble(): string | null {
    return this.#trouble
  }

  /** When the API server told something the last time, bookmarks among it. */
  get heardAt(): number | null {
    return this.#heardAt
  }

  get(name: string): Item | null {
    return this.#items.get(name) ?? null
  }

  items(): Iterable<Item> {
    return this.#items.values()
  }

  /** @returns what ends it */
  watch(changed: Changed<Item>): () => void {
    this.#watchers.add(changed)
    return () => void this.#watchers.delete(changed)
  }

  /** The answer to a write, so that nobody acts on what was before it. What is gone meanwhile stays gone. */
  learn(item: Item): void {
    const known = this.get(keyOf(item.metadata))
    if (known?.metadata.uid === item.metadata.uid) this.#keep(item)
  }

  /** Resolves when the signal ends, and never before. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      const before = this.#heardAt
      const wait = await this.#turn(signal)
      if (signal.aborted) return
      failures = this.#heardAt === before ? failures + 1 : 0
      const { random } = this.#options
      await pause(Math.max(wait, backoff(failures, { first, longest, random })), signal)
    }
  }

  /** One watch to its end, after a list where it is needed. @returns milliseconds to wait at least */
  async #turn(signal: AbortSignal): Promise<number> {
    try {
      this.#version ??= await this.#list(signal)
      await this.#follow(this.#version, signal)
      return 0
    } catch (error) {
      if (signal.aborted) return 0
      const failure = asFailure(error)
      if (failure.code === 'CLUSTER_TOO_LARGE') this.#page = Math.max(leastPage, this.#page >> 1)
      if (failure.code === 'CLUSTER_EXPIRED') this.#version = null
      else if (failure.code === 'CLUSTER_NOT_FOUND' && this.#options.mayBeMissing) this.#lack()
      else this.#tell(failure)
      return failure.retryAfter ?? 0
    }
  }

  /** There is no such kind: nothing is left of it, and it is asked for again. */
  #lack(): void {
    this.#version = null
    this.#refused.clear()
    this.#replaceBy(new Map())
    this.#isSynced = true
    this.#wellAgain()
  }

  /** @returns the version that the whole list is of */
  async #list(signal: AbortSignal): Promise<string> {
    const { api, path } = this.#options
    const found = new Map<string, Item>()
    let next: string | undefined
    let version = ''
    this.#refused.clear()
    do {
      const limit = String(this.#page)
      const query = { ...this.#selected, limit, ...(next && { continue: next }) }
      const list = checked(listSchema, await api.get(path, query, signal))
      for (const item of list.items) this.#gather(found, item)
      version = list.metadata.resourceVersion
      next = list.metadata.continue
    } while (next)
    this.#replaceBy(found)
    this.#isSynced = true
    this.#wellAgain()
    return version
  }

  #gather(found: Map<string, Item>, object: unknown): void {
    const item = this.#read(object)
    if (item) found.set(keyOf(item.metadata), item)
  }

  /**
   * The list holds, also over what is newer: a cluster that was restored has gone back. What was learned meanwhile comes by
   * the watch once more.
   */
  #replaceBy(found: ReadonlyMap<string, Item>): void {
    for (const name of this.#items.keys()) {
      if (!found.has(name) && !this.#refused.has(name)) this.#drop(name)
    }
    for (const [name, item] of found) {
      if (!isSame(item, this.get(name))) this.#put(item)
    }
  }

  async #follow(version: string, signal: AbortSignal): Promise<void> {
    const { api, path, random } = this.#options
    const query = {
      ...this.#selected,
      resourceVersion: version,
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(Math.round(watched * (1 + random()))),
    }
    for await (const line of api.watch(path, query, signal, () => this.#wellAgain())) {
      this.#take(checked(eventSchema, line))
      this.#heardAt = this.#options.now()
    }
  }

  #take({ type, object }: z.output<typeof eventSchema>): void {
    if (type === 'ERROR') throw statusFailure(object)
    const { metadata } = checked(bareSchema, object)
    // Versions only grow, but for a cluster that was restored.
    if (isNewer(this.#version ?? '', metadata.resourceVersion)) throw gone()
    if (type === 'DELETED') this.#drop(keyOf(metadata))
    else if (type !== 'BOOKMARK') this.#keepRead(object)
    this.#version = metadata.resourceVersion
  }

  #keepRead(object: unknown): void {
    const item = this.#read(object)
    if (item) this.#keep(item)
  }

  /** An object of another uid is another object, however old; of the same one, the newer state holds. */
  #keep(item: Item): void {
    const { uid, resourceVersion } = item.metadata
    const known = this.get(keyOf(item.metadata))?.metadata
    if (known?.uid !== uid || isNewer(resourceVersion, known.resourceVersion)) this.#put(item)
  }

  #put(item: Item): void {
    const name = keyOf(item.metadata)
    this.#items.set(name, item)
    this.#announce(name, item)
  }

  #drop(name: string): void {
    this.#refused.delete(name)
    if (this.#items.delete(name)) this.#announce(name, null)
  }

  #announce(name: string, item: Item | null): void {
    for (const changed of this.#watchers) changed(name, item)
  }

  /** Null for what the schema refuses: what was known of it before stays. */
  #read(object: unknown): Item | null {
    const { data, error } = this.#options.schema.safeParse(object)
    const metadata = data?.metadata ?? bareSchema.safeParse(object).data?.metadata
    const name = metadata ? keyOf(metadata) : ''
    if (data) {
      this.#refused.delete(name)
      return data
    }
    if (!this.#refused.has(name)) {
      this.#options.log.error({ name, err: error }, 'an object is left out, as it cannot be read')
    }
    this.#refused.add(name)
    return null
  }

  /** The same words are told once. */
  #tell(failure: Failure): void {
    const { path, log } = this.#options
    const trouble =
      failure.code === 'CLUSTER_NOT_FOUND'
        ? `${path} is not there: install the CRDs`
        : failure.message
    if (trouble === this.#trouble) return
    this.#trouble = trouble
    log.warn({ err: failure, path, trouble }, 'the API server tells nothing; it is asked again')
  }

  #wellAgain(): void {
    if (this.#trouble === null) return
    this.#trouble = null
    this.#options.log.info({ path: this.#options.path }, 'the API server tells again what happens')
  }
}

function isSame(one: Named, other: Named | null): boolean {
  const { uid, resourceVersion } = one.metadata
  return uid === other?.metadata.uid && resourceVersion === other.metadata.resourceVersion
}

function gone(): Refusal {
  return new Refusal('CLUSTER_EXPIRED', 'the versions of the API server have gone back')
}

/** Versions are numbers of up to 64 bits, the higher the later. */
function isNewer(version: string, than: string): boolean {
  return number(version) > number(than)
}

function number(version: string): bigint {
  return /^\d+$/.test(version) ? BigInt(version) : 0n
}
