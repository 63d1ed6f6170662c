import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { sections } from '../image/data-source.ts'

/** Seconds: from a file of this network to a disk of terabytes. */
const buckets = [0.01, 0.05, 0.25, 1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200]

const ends = ['ready', 'failed', 'stopped'] as const
type Outcome = (typeof ends)[number] | 'retried'

/** Images on their way in, by the type of their source. */
export class ImportMetrics {
  readonly #received: Counter<'source'>
  readonly #ended: Counter<'source' | 'outcome'>
  readonly #retries: Counter<'source' | 'code'>
  readonly #failures: Counter<'source' | 'code'>
  readonly #seconds: Histogram<'source' | 'stage'>
  readonly #running: Gauge<'source'>

  constructor(registry: Registry) {
    const registers = [registry]
    this.#received = new Counter({
      name: 'slipway_import_received_bytes_total',
      help: 'Bytes of images that came in, as they were sent, by source',
      labelNames: ['source'],
      registers,
    })
    this.#ended = new Counter({
      name: 'slipway_imports_total',
      help: 'Imports and uploads that have ended, by source and outcome: ready, failed, or stopped by a deletion or the end of the service',
      labelNames: ['source', 'outcome'],
      registers,
    })
    this.#retries = new Counter({
      name: 'slipway_import_retries_total',
      help: 'Attempts that broke off and go on later, by source and by the code of the error',
      labelNames: ['source', 'code'],
      registers,
    })
    this.#failures = new Counter({
      name: 'slipway_import_failures_total',
      help: 'Imports and uploads that failed for good, by source and by the code of the error',
      labelNames: ['source', 'code'],
      registers,
    })
    this.#seconds = new Histogram({
      name: 'slipway_import_stage_seconds',
      help: 'What the attempts that made an image Ready waited for: fetch (the source or the client), inspect (a look at the bytes), store (hashing, unpacking, writing) and commit; each moment counts for one of them',
      labelNames: ['source', 'stage'],
      buckets,
      registers,
    })
    this.#running = new Gauge({
      name: 'slipway_imports_running',
      help: 'Imports and uploads whose bytes are on their way in, by source',
      labelNames: ['source'],
      registers,
    })
    this.#beginAtNothing()
  }

  began(source: string): void {
    this.#running.inc({ source })
  }

  came(source: string, bytes: number): void {
    this.#received.inc({ source }, bytes)
  }

  /** @param stages seconds of each that was entered */
  ended(
    source: string,
    { outcome, code }: { readonly outcome: Outcome; readonly code: string | null },
    stages: { readonly [stage: string]: number },
  ): void {
    this.#running.dec({ source })
    if (outcome === 'retried') return this.#retries.inc({ source, code: code ?? 'NONE' })
    this.#ended.inc({ source, outcome })
    if (outcome === 'failed') this.#failures.inc({ source, code: code ?? 'NONE' })
    if (outcome !== 'ready') return
    for (const [stage, seconds] of Object.entries(stages)) {
      this.#seconds.observe({ source, stage }, seconds)
    }
  }

  /** What is not there cannot be compared: no image of a source may ever become ready. */
  #beginAtNothing(): void {
    for (const source of Object.keys(sections)) {
      this.#running.set({ source }, 0)
      for (const outcome of ends) this.#ended.inc({ source, outcome }, 0)
    }
  }
}
