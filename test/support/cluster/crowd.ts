import { z } from 'zod'
import { Connection } from '../../../src/kube/connection.ts'
import { eachOf } from '../../../src/work/each-of.ts'
import { within } from '../deadline.ts'

const apiVersion = 'virtualization.deckhouse.io/v1alpha2'
const path = `/apis/${apiVersion}/clustervirtualimages`

/** Requests of the test itself that are under way at once. */
const hands = 16

const resourceSchema = z.object({
  metadata: z.object({ name: z.string(), finalizers: z.array(z.string()).default([]) }),
  status: z.object({ phase: z.string().default('') }).default({ phase: '' }),
})
const lineSchema = z.object({ type: z.string(), object: resourceSchema })
const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  items: z.array(resourceSchema),
})

export type Seen = z.output<typeof resourceSchema>

type Wish = { readonly holds: () => boolean; readonly grant: () => void }

/** Many ClusterVirtualImages, created by the admin over connections that stay open, and followed by one watch. */
export class Crowd implements AsyncDisposable {
  readonly #api: Connection
  readonly #stopping = new AbortController()
  readonly #phases = new Map<string, string>()
  readonly #wishes = new Set<Wish>()
  readonly #following: Promise<void>

  /** @param kubeconfig path of the admin's */
  constructor(kubeconfig: string) {
    this.#api = new Connection({ kubeconfig: [kubeconfig], userAgent: 'crowd' })
    this.#following = this.#follow()
  }

  /** How many there are in this phase; empty for those without one. */
  in(phase: string): number {
    return [...this.#phases.values()].filter((each) => each === phase).length
  }

  get size(): number {
    return this.#phases.size
  }

  phaseOf(name: string): string | null {
    return this.#phases.get(name) ?? null
  }

  /** @param sources of each name */
  async create(sources: Iterable<readonly [string, object]>): Promise<void> {
    const { signal } = this.#stopping
    await eachOf(sources, hands, async ([name, dataSource]) => {
      const body = { kind: 'ClusterVirtualImage', metadata: { name }, spec: { dataSource } }
      await this.#api.create(path, { apiVersion, ...body }, signal)
    })
  }

  /** Resolves when it holds; looked at whenever something happens to any of them. @param limit in milliseconds */
  async until(what: string, holds: () => boolean, limit: number): Promise<void> {
    if (holds()) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const wish = { holds, grant: resolve }
    this.#wishes.add(wish)
    try {
      await within(limit, what, Promise.race([promise, this.#following]))
    } finally {
      this.#wishes.delete(wish)
    }
  }

  /** All of them, as the API server has them now. */
  async list(): Promise<readonly Seen[]> {
    return (await this.#listed()).items
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.#following.catch(() => null)
    await this.#api[Symbol.asyncDispose]()
  }

  /** The API server may end a watch at any time, and does when it has learned of a new kind. */
  async #follow(): Promise<void> {
    const { signal } = this.#stopping
    for (;;) {
      const { items, metadata } = await this.#listed()
      this.#phases.clear()
      for (const item of items) this.#note('ADDED', item)
      const { resourceVersion } = metadata
      for await (const line of this.#api.watch(path, { resourceVersion }, signal)) {
        const { type, object } = lineSchema.parse(line)
        this.#note(type, object)
      }
    }
  }

  async #listed(): Promise<z.output<typeof listSchema>> {
    return listSchema.parse(await this.#api.get(path, {}, this.#stopping.signal))
  }

  #note(type: string, { metadata, status }: Seen): void {
    if (type === 'DELETED') this.#phases.delete(metadata.name)
    else this.#phases.set(metadata.name, status.phase)
    for (const { holds, grant } of this.#wishes) if (holds()) grant()
  }
}
