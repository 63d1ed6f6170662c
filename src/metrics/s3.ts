import { Counter, Histogram, type Registry } from 'prom-client'

/** Seconds: from a HEAD to a part of an upload on a slow line. */
const buckets = [0.005, 0.025, 0.1, 0.5, 2, 10, 30, 60]

/** What the object store is asked for, each try by itself. */
export class S3Metrics {
  readonly #requests: Counter<'operation' | 'outcome'>
  readonly #seconds: Histogram<'operation'>

  constructor(registry: Registry) {
    const registers = [registry]
    this.#requests = new Counter({
      name: 'slipway_s3_requests_total',
      help: 'Requests to the object store, by operation and by status; none where it did not answer, aborted where nobody waited for it any longer',
      labelNames: ['operation', 'outcome'],
      registers,
    })
    this.#seconds = new Histogram({
      name: 'slipway_s3_request_seconds',
      help: 'Time from a request to the object store to the head of its answer, by operation',
      labelNames: ['operation'],
      buckets,
      registers,
    })
  }

  /** @param outcome the status, `none` or `aborted` without one */
  asked(operation: string, outcome: string, seconds: number): void {
    this.#requests.inc({ operation, outcome })
    this.#seconds.observe({ operation }, seconds)
  }
}
