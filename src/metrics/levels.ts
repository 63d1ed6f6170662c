import { Gauge, type Registry } from 'prom-client'

/** What is read when somebody asks for the metrics; null where it is not known. Bytes, and seconds since 1970. */
export type Levels = {
  readonly blobs: number | null
  readonly blobBytes: number | null
  readonly logicalBytes: number | null
  readonly stagedBytes: number | null
  readonly freeBytes: number | null
  readonly limitBytes: number | null
  readonly repositories: number | null
  readonly manifests: number | null
  readonly tags: number | null
  readonly uploads: number | null
  readonly pushes: number | null
  readonly jobsDue: number | null
  readonly jobsLater: number | null
  readonly jobSlots: number | null
  readonly eventStreams: number | null
  /** Seconds. */
  readonly scrubInterval: number | null
  readonly images: { readonly [phase: string]: number } | null
  /** When the last whole run of a kind ended. */
  readonly maintained: { readonly [kind: string]: number }
}

type Plain = Exclude<keyof Levels, 'images' | 'maintained'>

const plain: { readonly [level in Plain]: readonly [name: string, help: string] } = {
  blobs: ['slipway_blobs', 'Blobs'],
  blobBytes: ['slipway_blob_bytes', 'Bytes of all blobs'],
  logicalBytes: [
    'slipway_logical_bytes',
    'Bytes of all blobs, each counted once for every manifest that needs it',
  ],
  stagedBytes: ['slipway_staged_bytes', 'Bytes of transfers under way that are no blobs yet'],
  freeBytes: ['slipway_free_bytes', 'Bytes that the storage can still take'],
  limitBytes: [
    'slipway_storage_limit_bytes',
    'Bytes of blobs that are allowed, if there is a limit',
  ],
  repositories: ['slipway_repositories', 'Repositories that have a manifest'],
  manifests: ['slipway_manifests', 'Manifests'],
  tags: ['slipway_tags', 'Tags'],
  uploads: ['slipway_uploads_active', 'Uploads of images that wait for bytes or take them'],
  pushes: ['slipway_pushes_active', 'Uploads of blobs to the registry that are open'],
  jobsDue: ['slipway_import_queue_depth', 'Imports that wait for a slot'],
  jobsLater: [
    'slipway_import_backoff_depth',
    'Imports that wait for the time of their next attempt',
  ],
  jobSlots: ['slipway_import_slots', 'Imports that may run at the same time'],
  eventStreams: ['slipway_event_streams', 'Open streams of events'],
  scrubInterval: [
    'slipway_scrub_interval_seconds',
    'Time from a scrub to the next one, if it begins by itself',
  ],
}

/** Gauges of what is looked at when somebody asks. What is not known is left out. */
export class LevelGauges {
  readonly #plain: ReadonlyMap<Plain, Gauge>
  readonly #phase: Gauge<'phase'>
  readonly #maintained: Gauge<'kind'>

  constructor(registry: Registry) {
    const registers = [registry]
    this.#plain = new Map(
      keys.map((key) => {
        const [name, help] = plain[key]
        const gauge = new Gauge({ name, help, registers })
        // It begins at 0, which would be a lie.
        gauge.remove()
        return [key, gauge]
      }),
    )
    this.#phase = new Gauge({
      name: 'slipway_image_phase',
      help: 'Images in each phase',
      labelNames: ['phase'],
      registers,
    })
    this.#maintained = new Gauge({
      name: 'slipway_maintenance_last_success_timestamp_seconds',
      help: 'When the last whole collection (gc) or scrub ended',
      labelNames: ['kind'],
      registers,
    })
  }

  set(levels: Partial<Levels>): void {
    for (const [key, gauge] of this.#plain) {
      const value = levels[key]
      if (value === null) gauge.remove()
      else if (value !== undefined) gauge.set(value)
    }
    if (levels.images) this.#setPhases(levels.images)
    for (const [kind, at] of Object.entries(levels.maintained ?? {})) {
      this.#maintained.set({ kind }, at)
    }
  }

  #setPhases(images: { readonly [phase: string]: number }): void {
    this.#phase.reset()
    for (const [phase, count] of Object.entries(images)) this.#phase.set({ phase }, count)
  }
}

const keys: readonly Plain[] = [
  'blobs',
  'blobBytes',
  'logicalBytes',
  'stagedBytes',
  'freeBytes',
  'limitBytes',
  'repositories',
  'manifests',
  'tags',
  'uploads',
  'pushes',
  'jobsDue',
  'jobsLater',
  'jobSlots',
  'eventStreams',
  'scrubInterval',
]
