import { pino, type Logger } from 'pino'
import { Rest } from '../../src/client/rest.ts'
import { ClusterVirtualImages } from '../../src/sync/cluster-virtual-image.ts'
import type { ClusterApi } from '../../src/kube/cluster-api.ts'
import { Informer } from '../../src/sync/kube/informer.ts'
import { Mirror } from '../../src/sync/mirror.ts'
import { WorkQueue } from '../../src/sync/queue.ts'
import {
  clusterVirtualImageSchema,
  resourcesPath,
  type ClusterVirtualImage,
} from '../../src/sync/resource.ts'

export type ReconcilingOptions = {
  readonly api: ClusterApi
  /** Where the service is. */
  readonly base: string
  readonly token?: string
  /** Milliseconds without the service. */
  readonly lostAfter?: number
  readonly log?: Logger
  readonly onUnreported?: () => void
}

/** Everything of the companion that looks after ClusterVirtualImages, in this process, until its scope ends. */
export class Reconciling implements AsyncDisposable {
  readonly mirror: Mirror
  readonly informer: Informer<ClusterVirtualImage>
  /** What was tried again as it had failed. */
  readonly failures: unknown[] = []
  readonly #stop = new AbortController()
  readonly #running: readonly Promise<void>[]
  readonly #unwatch: () => void
  readonly #queue: WorkQueue

  constructor(options: ReconcilingOptions) {
    const { api, base, token = null, lostAfter, onUnreported } = options
    const log = options.log ?? pino({ level: 'silent' })
    const shared = { log, now: Date.now, random: Math.random }
    const rest = new Rest({ base, token: () => Promise.resolve(token), userAgent: 'test' })
    this.mirror = new Mirror({ ...shared, rest, ...(lostAfter !== undefined && { lostAfter }) })
    const schema = clusterVirtualImageSchema
    this.informer = new Informer({ ...shared, api, path: resourcesPath, schema })
    this.#queue = new WorkQueue({
      random: Math.random,
      onFailure: (_name, error) => this.failures.push(error),
    })
    const around = {
      ...shared,
      api,
      rest,
      mirror: this.mirror,
      resources: this.informer,
      queue: this.#queue,
      ...(onUnreported && { onUnreported }),
    }
    const images = new ClusterVirtualImages(around)
    this.#unwatch = images.watch()
    const { signal } = this.#stop
    this.#running = [
      this.mirror.run(signal),
      this.informer.run(signal),
      this.#queue.run(4, (name, signal) => images.reconcile(name, signal), signal),
    ]
  }

  /** Nothing is asked for any more, from now on, as after a crash. */
  kill(): void {
    this.#stop.abort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#running)
    this.#unwatch()
    this.#queue[Symbol.dispose]()
  }
}
