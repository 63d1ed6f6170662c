import { Counter, Gauge, Registry } from 'prom-client'
import { NoticeMetrics } from './metrics/notices.ts'

/** What is read when somebody asks for the metrics. Bytes; null where they are not known. */
export type Levels = {
  readonly blobBytes: number
  readonly logicalBytes: number
  readonly freeBytes: number | null
  readonly images: { readonly [phase: string]: number }
}

/**
 * What the service tells Prometheus: a field for each family, made once for a process. No label takes values whose number
 * grows with the number of images.
 */
export class Metrics {
  readonly #registry = new Registry()
  readonly #levels: (() => Promise<Levels>)[] = []

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
  readonly #blobBytes = this.#gauge('slipway_blob_bytes', 'Bytes of all blobs')
  readonly #logicalBytes = this.#gauge(
    'slipway_logical_bytes',
    'Bytes of all blobs, each counted once for every manifest that needs it',
  )
  readonly #freeBytes = this.#gauge('slipway_free_bytes', 'Bytes that the storage can still take')
  readonly #imagePhase = new Gauge({
    name: 'slipway_image_phase',
    help: 'Images in each phase',
    labelNames: ['phase'],
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

  /** Levels are asked for when the metrics are. */
  levelsFrom(read: () => Promise<Levels>): void {
    this.#levels.push(read)
  }

  /** The text of all metrics as Prometheus reads it. */
  async text(): Promise<string> {
    for (const read of this.#levels) this.#set(await read())
    await this.notices.refresh()
    return await this.#registry.metrics()
  }

  #set({ blobBytes, logicalBytes, freeBytes, images }: Levels): void {
    this.#blobBytes.set(blobBytes)
    this.#logicalBytes.set(logicalBytes)
    if (freeBytes !== null) this.#freeBytes.set(freeBytes)
    this.#imagePhase.reset()
    for (const [phase, count] of Object.entries(images)) this.#imagePhase.set({ phase }, count)
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: [this.#registry] })
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name, help, registers: [this.#registry] })
  }
}
