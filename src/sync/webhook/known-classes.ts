import { z } from 'zod'
import { Failure } from '../../errors.ts'
import { checked } from '../../kube/answers.ts'
import type { ClusterApi } from '../../kube/cluster-api.ts'
import { unless } from '../../unless.ts'
import type { Informer } from '../kube/informer.ts'
import { virtualMachineClass, type MachineClass } from '../virtual-machine-class/resource.ts'
import { Shared } from './shared.ts'

/** A class as it is stored, readable or not. */
export type StoredClass = z.output<typeof storedSchema>

const storedSchema = z.object({
  metadata: z.object({
    name: z.string(),
    deletionTimestamp: z.string().optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.unknown(),
})

const listSchema = z.object({
  metadata: z.object({ continue: z.string().optional() }),
  items: z.array(storedSchema),
})

/** Classes a page, at first: where their statuses name thousands of nodes, fewer fit into an answer. */
const page = 100

/** A list that takes longer is of use to nobody who asked for it, in milliseconds. */
const listedWithin = 4000

/** What the API server takes as a name; another one must not become a part of a path. */
const namePattern = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/

export type KnownClassesOptions = {
  readonly api: Pick<ClusterApi, 'get'>
  readonly resources: Pick<Informer<MachineClass>, 'items' | 'isSynced'>
}

/** The classes of the cluster. What decides is asked of the API server: what is watched comes a moment later. */
export class KnownClasses {
  readonly #options: KnownClassesOptions
  #size = page
  /** Each may take megabytes, and many machines are created at once. */
  readonly #lists = new Shared(() => this.#list(AbortSignal.timeout(listedWithin)))

  constructor(options: KnownClassesOptions) {
    this.#options = options
  }

  /**
   * Null for a class that there is not.
   * @throws what the API server fails with; the reason of the signal
   */
  async read(name: string, signal: AbortSignal): Promise<StoredClass | null> {
    if (!namePattern.test(name)) return null
    try {
      const answer = await this.#options.api.get(`${virtualMachineClass.path}/${name}`, {}, signal)
      return checked(storedSchema, answer)
    } catch (error) {
      if (error instanceof Failure && error.code === 'CLUSTER_NOT_FOUND') return null
      throw error
    }
  }

  async #pageFrom(
    next: string | undefined,
    signal: AbortSignal,
  ): Promise<z.output<typeof listSchema>> {
    const query = { limit: String(this.#size), ...(next && { continue: next }) }
    try {
      const answer = await this.#options.api.get(virtualMachineClass.path, query, signal)
      return checked(listSchema, answer)
    } catch (error) {
      const isTooLarge = error instanceof Failure && error.code === 'CLUSTER_TOO_LARGE'
      if (!isTooLarge || this.#size === 1) throw error
      this.#size >>= 1
      return await this.#pageFrom(next, signal)
    }
  }

  /** All of them, as they are now. Throws as `read`. */
  async all(signal: AbortSignal): Promise<readonly StoredClass[]> {
    return await unless(signal, this.#lists.begin())
  }

  async #list(signal: AbortSignal): Promise<readonly StoredClass[]> {
    const found: StoredClass[] = []
    let next: string | undefined
    do {
      const list = await this.#pageFrom(next, signal)
      found.push(...list.items)
      next = list.metadata.continue
    } while (next)
    return found
  }

  /** For people to choose from, none that is on its way out: as they were a moment ago. Throws as `read`. */
  async names(signal: AbortSignal): Promise<readonly string[]> {
    const { resources } = this.#options
    const classes = resources.isSynced ? resources.items() : await this.all(signal)
    return namesOf(classes)
  }
}

/** Of those that stay. */
export function namesOf(classes: Iterable<Pick<StoredClass, 'metadata'>>): readonly string[] {
  const staying = [...classes].filter((each) => !isLeaving(each))
  return staying.map(({ metadata }) => metadata.name)
}

export function isLeaving({ metadata }: Pick<StoredClass, 'metadata'>): boolean {
  return metadata.deletionTimestamp !== undefined
}
