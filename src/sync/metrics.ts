import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { addProcess } from '../metrics/process.ts'

/** What is read when somebody asks for the metrics. */
export type Levels = {
  readonly depth: number
  readonly isLeading: boolean
  readonly isSynced: boolean
}

/** What the companion tells Prometheus. No label takes values whose number grows with the number of resources. */
export class CompanionMetrics {
  readonly #registry = new Registry()
  readonly #registers = { registers: [this.#registry] }
  #levels: (() => Levels) | null = null

  readonly reconcileSeconds = new Histogram({
    name: 'slipway_controller_reconcile_seconds',
    help: 'Time that one look at a resource took',
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 30, 60],
    ...this.#registers,
  })
  readonly reconcileErrors = new Counter({
    name: 'slipway_controller_reconcile_errors_total',
    help: 'Looks at a resource that failed and are tried again',
    ...this.#registers,
  })
  readonly unreported = new Counter({
    name: 'slipway_controller_unreported_events_total',
    help: 'Events of resources that the API server did not take',
    ...this.#registers,
  })
  readonly requests = new Counter({
    name: 'slipway_controller_api_requests_total',
    help: 'Requests to the API server, by verb and status; none where it did not answer',
    labelNames: ['verb', 'code'],
    ...this.#registers,
  })
  readonly webhookRequests = new Counter({
    name: 'slipway_webhook_requests_total',
    help: 'Reviews that the API server asked for, by webhook and by what came of it',
    labelNames: ['webhook', 'outcome'],
    ...this.#registers,
  })
  readonly webhookSeconds = new Histogram({
    name: 'slipway_webhook_seconds',
    help: 'Time that one review took, by webhook',
    labelNames: ['webhook'],
    buckets: [0.002, 0.01, 0.05, 0.2, 1, 4],
    ...this.#registers,
  })
  readonly #depth = this.#gauge('queue_depth', 'Resources that wait to be looked at')
  readonly #leader = this.#gauge('leader', 'Whether this process leads, 0 or 1')
  readonly #synced = this.#gauge('synced', 'Whether all resources were listed, 0 or 1')

  readonly contentType = this.#registry.contentType

  /** Once for a process. */
  addProcess(version: string): void {
    addProcess(this.#registry, version)
  }

  /** Levels are asked for when the metrics are. */
  levelsFrom(read: () => Levels): void {
    this.#levels = read
  }

  /** The text of all metrics as Prometheus reads it. */
  async text(): Promise<string> {
    const levels = this.#levels?.()
    if (levels) this.#set(levels)
    return await this.#registry.metrics()
  }

  #set({ depth, isLeading, isSynced }: Levels): void {
    this.#depth.set(depth)
    this.#leader.set(Number(isLeading))
    this.#synced.set(Number(isSynced))
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name: `slipway_controller_${name}`, help, ...this.#registers })
  }
}
