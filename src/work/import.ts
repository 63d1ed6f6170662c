import type { Catalog } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import type { Job } from '../catalog/jobs.ts'
import { asFailure, Bug, type Failure } from '../errors.ts'
import { checksumsOf, type DataSource } from '../image/data-source.ts'
import { imageTag } from '../image/name.ts'
import type { Log } from '../log.ts'
import type { Place, Resolved, Source } from '../source/source.ts'
import type { Store } from '../store/store.ts'
import { Stopped, type Active } from './active.ts'
import { Arrival } from './arrival.ts'
import { backoff } from './backoff.ts'
import type { Collector } from './collect.ts'
import { ingest, type Station } from './ingest.ts'
import { borrow } from './object-reference.ts'
import type { Progress } from './progress.ts'
import { doubted, goOn, goOnIn } from './go-on.ts'
import { heardBy, type Heard } from './heard.ts'
import type { Journey, Journeys, Outcome, RunningJourney } from './journeys.ts'
import { shareKnownBytes } from './known-bytes.ts'
import { askAgain } from './known-source.ts'
import { hang, leaseHolder, publish, publishShared } from './publish.ts'
import type { Worker } from './queue.ts'
import { withSecrets } from './secrets.ts'
import type { ServerKey } from './server-key.ts'
import { shareLayer, type Shared } from './shared-layer.ts'
import { tagKey } from './tag-record.ts'
import { Waiting } from './waiting.ts'

export type ImporterOptions = {
  readonly catalog: Catalog
  readonly store: Store
  readonly station: Station
  readonly collector: Collector
  readonly active: Active
  readonly progress: Progress
  readonly journeys: Journeys
  readonly sources: { readonly [type in DataSource['type']]?: Source }
  /**
   * Whether a layer that another registry names, and that is here already, may be used without being fetched: not where some
   * may not read what others may.
   */
  readonly sharesLayers: boolean
  readonly key: ServerKey
  readonly retryFor: number
  readonly now: () => number
  readonly steady: () => number
  readonly random: () => number
  readonly log: Log
  /** An image became Ready: others may have waited for it. */
  readonly onReady: (name: string) => void
}

/** Brings an image in from its source: one attempt a run, and a record of how it ended. */
export class Importer implements Worker {
  readonly #options: ImporterOptions
  /** What the attempts that run have of their sources' bytes, by image. */
  readonly #arrivals = new Map<string, Arrival>()

  constructor(options: ImporterOptions) {
    this.#options = options
  }

  async run(job: Job): Promise<void> {
    const { active } = this.#options
    const ran = await active.run(job.imageUid, 'the import', (signal) => this.#attempt(job, signal))
    if (!ran) throw new Bug(`the image ${job.imageUid} has two transfers`)
  }

  progress(imageUid: string): number {
    return this.#options.progress.floor(imageUid)
  }

  lose(imageUid: string): void {
    this.#options.active.halt(imageUid, 'taken over')
  }

  async #attempt(job: Job, signal: AbortSignal): Promise<void> {
    const { catalog, journeys } = this.#options
    const image = await catalog.read.images.byUid(job.imageUid)
    if (!image || image.phase === 'Terminating') return
    const { name, uid, dataSource, retries } = image
    const begun = { image: name, uid, source: dataSource.type, attempt: retries + 1 }
    await journeys.run(begun, (journey) => this.#travel(image, job, journey, signal))
  }

  async #travel(image: Image, job: Job, journey: RunningJourney, signal: AbortSignal) {
    const { catalog, progress } = this.#options
    const transfer = progress.begin(image.uid, job.progress)
    const waiting = new Waiting(image, this.#options)
    const tally = heardBy(transfer, journey)
    const hearing = { catalog, tally, patience: waiting.patience, journey }
    try {
      const ready = await this.#bring(image, job, hearing, signal)
      journey.conclude({ outcome: 'ready', digest: ready.stored?.manifest.digest ?? null })
      this.#options.onReady(ready.name)
    } catch (error) {
      const retryUntil = job.retryUntil ?? waiting.until
      await this.#record(image, { ...job, retryUntil }, error, journey, signal)
    } finally {
      this.#arrivals.delete(image.uid)
      progress.end(image.uid, transfer)
    }
  }

  async #bring(image: Image, job: Job, hearing: Heard, signal: AbortSignal): Promise<Image> {
    const { objectRef } = image.dataSource
    if (!objectRef) return await this.#fetch(image, job, hearing, signal)
    const stored = await borrow(image, objectRef.name, this.#options)
    await this.#provisioning(image)
    const placed = { stored, placed: [] }
    return await hearing.journey.during('commit', () => hang(image, placed, this.#options, signal))
  }

  async #fetch(image: Image, job: Job, hearing: Heard, signal: AbortSignal): Promise<Image> {
    const { station } = this.#options
    const { journey } = hearing
    const place = this.#placeOf(image)
    await this.#provisioning(image)
    const resolved = await journey.during('fetch', async () => place.resolve?.(signal))
    const here =
      (await shareKnownBytes(image, job, this.#options)) ??
      (await journey.during('inspect', () => this.#layer(image, resolved, signal)))
    if (here) return await this.#share(image, here, journey, signal)
    const arrival = await Arrival.open(image.uid, station.store, job.size ?? Infinity)
    this.#arrivals.set(image.uid, arrival)
    const known = { ...this.#options, tally: hearing.tally }
    const again = await journey.during('fetch', () =>
      askAgain(image, place, arrival, known, signal),
    )
    if (again.shared) return await this.#share(image, again.shared, journey, signal)
    const opened = await journey.during('fetch', () =>
      resolved
        ? goOnIn(resolved, arrival, job, hearing, signal)
        : goOn(again.place, arrival, job, hearing, signal),
    )
    const { body, size, facts } = opened
    const ready = ingest(
      // The source itself tells how far it is: what it gives may not be what it gets.
      { body, size, checksums: checksumsOf(image.dataSource), onBytes: () => {}, journey },
      arrival,
      station,
      (ingested) => publish(image, ingested, facts, this.#options, signal),
      signal,
    )
    return await ready.catch((error: unknown) => Promise.reject(doubted(error, opened)))
  }

  #placeOf(image: Image): Place {
    const { sources, key } = this.#options
    const { type } = image.dataSource
    const source = sources[type]
    if (!source) throw new Bug(`there is no source of type ${type}`)
    return source.at(sectionOf(withSecrets(image, key)))
  }

  /** A layer that is here already; null when it is not, or is not for everyone. */
  async #layer(image: Image, resolved: Resolved | undefined, signal: AbortSignal) {
    if (!resolved?.sole || !(resolved.isOwn || this.#options.sharesLayers)) return null
    const judged = await shareLayer(image, resolved.sole, this.#options, signal)
    return judged && { judged, facts: resolved.facts }
  }

  /** The image on what is here already; what an earlier attempt has fetched is of no use. */
  async #share(image: Image, shared: Shared, journey: Journey, signal: AbortSignal) {
    const { judged, facts } = shared
    await Arrival.discard(image.uid, this.#options.store)
    return await journey.during('commit', () =>
      publishShared(image, judged, facts, this.#options, signal),
    )
  }

  async #provisioning(image: Image): Promise<void> {
    const changed = await this.#options.catalog.transaction(({ images }) =>
      images.change(image.uid, {
        phase: 'Provisioning',
        ready: { reason: 'Provisioning', message: '' },
        source: { reason: 'DatasourceReady', message: '' },
        nextRetryAt: null,
      }),
    )
    if (!changed) throw new Stopped('deleted')
  }

  async #record(
    image: Image,
    job: Job,
    error: unknown,
    journey: RunningJourney,
    signal: AbortSignal,
  ): Promise<void> {
    const reason: unknown = signal.aborted ? signal.reason : error
    if (reason instanceof Stopped) return await this.#stopped(image, reason)
    const failure = asFailure(error)
    const { code } = failure
    // Where the end cannot be recorded, the job is somebody's later.
    journey.conclude({ outcome: 'retried', code })
    try {
      journey.conclude({ outcome: await this.#conclude(image, job, failure), code })
    } finally {
      // Only then, so that nothing that is logged can keep the end from being recorded.
      const { log } = this.#options
      log.warn({ image: image.name, code: failure.code, err: error }, 'import failed')
    }
  }

  async #conclude(image: Image, job: Job, failure: Failure): Promise<Outcome> {
    const { now, retryFor, catalog } = this.#options
    const current = await catalog.read.images.byUid(image.uid)
    if (!current || current.phase === 'Terminating') return 'stopped'
    // Who gets on is not failing: patience is for standing still. It ends, because progress does not go back.
    const gotOn = this.progress(image.uid) > job.progress
    // It moves when the clock is set.
    const stored = await catalog.read.jobs.retryUntil(image.uid)
    const until = (gotOn ? null : (stored ?? job.retryUntil)) ?? now() + retryFor
    const failures = gotOn ? 1 : current.retries + 1
    const at = now() + backoff(failures, failure.retryAfter, this.#options.random)
    const again = failure.row.retry && at <= until
    await (again ? this.#postpone(current, failure, at, until) : this.#giveUp(current, failure))
    return again ? 'retried' : 'failed'
  }

  /** Deleted images have no record any more; a stopping service leaves the job to its next start. */
  async #stopped(image: Image, { why }: Stopped): Promise<void> {
    if (why !== 'shutdown') return
    const progress = this.progress(image.uid)
    const staged = this.#arrivals.get(image.uid)?.offset
    await this.#options.catalog.transaction(async ({ jobs }) => {
      await jobs.release(image.uid, progress)
      if (staged !== undefined) await jobs.measure(image.uid, staged)
    })
  }

  async #postpone(image: Image, failure: Failure, at: number, until: number): Promise<void> {
    const waiting = failure.code === 'SOURCE_NOT_READY'
    const { catalog, collector } = this.#options
    const progress = this.progress(image.uid)
    const staged = this.#arrivals.get(image.uid)?.offset
    const left = await catalog.transaction(async ({ images, jobs, blobs }) => {
      await jobs.postpone(image.uid, { runAfter: at, retryUntil: until, progress })
      if (staged !== undefined) await jobs.measure(image.uid, staged)
      await images.change(image.uid, {
        phase: waiting ? image.phase : 'Provisioning',
        ready: {
          reason: waiting ? 'ProvisioningNotStarted' : 'ProvisioningFailed',
          message: failure.message,
        },
        source: {
          reason: waiting ? 'ClusterImageNotReady' : 'DatasourceNotReady',
          message: failure.message,
        },
        retries: image.retries + 1,
        nextRetryAt: at,
      })
      return await blobs.endLeases(leaseHolder(image))
    })
    await collector.collect(left)
    if (waiting) await this.#lookOnceMore(image)
  }

  /** The image that this one refers to may have become Ready while this one was being told to wait. */
  async #lookOnceMore({ dataSource }: Image): Promise<void> {
    const { catalog, onReady } = this.#options
    const name = dataSource.objectRef?.name
    const other = name === undefined ? null : await catalog.read.images.byName(name)
    if (other?.phase === 'Ready') onReady(other.name)
  }

  async #giveUp(image: Image, failure: Failure): Promise<void> {
    const { catalog, collector, store } = this.#options
    await store.records.remove(tagKey(image.name, imageTag))
    await Arrival.discard(image.uid, store)
    const left = await catalog.transaction(async ({ images, jobs, blobs }) => {
      await jobs.remove(image.uid)
      await images.change(image.uid, {
        phase: 'Failed',
        ready: { reason: 'ProvisioningFailedTerminally', message: failure.message },
        source: { reason: 'DatasourceNotReady', message: failure.message },
        nextRetryAt: null,
        secrets: null,
      })
      return await blobs.endLeases(leaseHolder(image))
    })
    await collector.collect(left)
  }
}

function sectionOf(source: DataSource): unknown {
  return source.http ?? source.containerImage
}
