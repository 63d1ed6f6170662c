import { Counter, Registry } from 'prom-client'
import { HttpMetrics } from './metrics/http.ts'
import { ImportMetrics } from './metrics/imports.ts'
import { LevelGauges, type Levels } from './metrics/levels.ts'
import { NoticeMetrics } from './metrics/notices.ts'
import { addProcess } from './metrics/process.ts'
import { S3Metrics } from './metrics/s3.ts'

/**
 * What the service tells Prometheus: a field for each family, made once for a process. No label takes values whose number
 * grows with the number of images.
 */
export class Metrics {
  readonly #registry = new Registry()
  readonly #readers: (() => Promise<Partial<Levels>>)[] = []
  readonly #levels = new LevelGauges(this.#registry)

  readonly http = new HttpMetrics(this.#registry)
  readonly imports = new ImportMetrics(this.#registry)
  readonly s3 = new S3Metrics(this.#registry)
  readonly authFailures = this.#counter(
    'slipway_auth_failures_total',
    'Requests with credentials that were wrong, not in force, or too many',
  )
  readonly gcFreedBytes = this.#counter('slipway_gc_freed_bytes_total', 'Bytes of removed blobs')
  readonly gcFreedBlobs = this.#counter('slipway_gc_freed_blobs_total', 'Removed blobs')
  readonly gcFailures = this.#counter(
    'slipway_gc_failures_total',
    'Removals of blobs that failed and are tried again',
  )
  readonly scrubBytes = this.#counter('slipway_scrub_bytes_total', 'Bytes that were read again')
  readonly scrubErrors = this.#counter(
    'slipway_scrub_errors_total',
    'Blobs that were found damaged or missing',
  )
  readonly maintenanceRuns = new Counter({
    name: 'slipway_maintenance_runs_total',
    help: 'Runs of the collection (gc) and the scrub that have ended, by outcome',
    labelNames: ['kind', 'outcome'],
    registers: [this.#registry],
  })

  readonly notices = new NoticeMetrics(this.#registry)

  readonly contentType = this.#registry.contentType

  /** What a removal of blobs came to. */
  freed({ blobs, bytes, failed }: { blobs: number; bytes: number; failed: number }): void {
    this.gcFreedBlobs.inc(blobs)
    this.gcFreedBytes.inc(bytes)
    this.gcFailures.inc(failed)
  }

  /** Once for a process. */
  addProcess(version: string): void {
    addProcess(this.#registry, version)
  }

  /** Levels are asked for when the metrics are. */
  levelsFrom(read: () => Promise<Partial<Levels>>): void {
    this.#readers.push(read)
  }

  /** The text of all metrics as Prometheus reads it. */
  async text(): Promise<string> {
    for (const read of this.#readers) this.#levels.set(await read())
    await this.notices.refresh()
    return await this.#registry.metrics()
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: [this.#registry] })
  }
}
