import { isDeepStrictEqual } from 'node:util'
import type { Catalog } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import { asFailure, Bug, Refusal, type Failure } from '../errors.ts'
import type { Log } from '../log.ts'
import { Stopped, type Active } from './active.ts'
import { Arrival, stagedOf } from './arrival.ts'
import { Assembly, type Beginning } from './assembly.ts'
import type { Collector } from './collect.ts'
import { ingest, type Station } from './ingest.ts'
import type { Journey, Journeys, RunningJourney } from './journeys.ts'
import type { Progress } from './progress.ts'
import { publish } from './publish.ts'
import type { Admission } from './upload-door.ts'
import type { UploadRecords } from './upload-records.ts'
import { unless } from '../unless.ts'
import { explained } from './upload-words.ts'

export type AssembliesOptions = {
  readonly catalog: Catalog
  readonly station: Station
  readonly collector: Collector
  readonly active: Active
  readonly progress: Progress
  readonly records: UploadRecords
  readonly journeys: Journeys
  /** Milliseconds without a byte after which a begun upload is given up. */
  readonly idle: number
  readonly now: () => number
  readonly log: Log
  readonly onReady: (name: string) => void
}

/** How long an upload that nobody sends to is kept in memory, in milliseconds. */
const rest = 30_000

/** The uploads whose bytes are on their way in, one for each image, and how each of them ends. */
export class Assemblies {
  readonly #options: AssembliesOptions
  readonly #all = new Map<string, Assembly>()

  constructor(options: AssembliesOptions) {
    this.#options = options
  }

  of({ uid }: Pick<Image, 'uid'>): Assembly | null {
    return this.#all.get(uid) ?? null
  }

  /** Nobody sends any more, or whoever does has been silent for too long. */
  async letGo(assembly: Assembly, failure: Failure): Promise<void> {
    if (failure.code === 'UPLOAD_TIMEOUT') {
      assembly.feed.destroy(failure)
      await Promise.allSettled([assembly.done])
    } else if (!assembly.isComplete) {
      this.rest(assembly)
    }
  }

  /** Nobody sends to it at present. */
  rest(assembly: Assembly): void {
    const { idle, active } = this.#options
    const { uid } = assembly.beginning.image
    assembly.rest(Math.min(rest, idle), () => active.halt(uid, 'idle'))
  }

  /** The one that waits where this body begins, else a new one on what is staged. */
  async goOn(admission: Admission, signal: AbortSignal): Promise<Assembly> {
    const { image, upload, start, total, checksums } = admission
    const live = this.#all.get(image.uid)
    const fits =
      live?.feed.position === start && isDeepStrictEqual(live.beginning.checksums, checksums)
    if (live && fits && !live.feed.destroyed) {
      live.wake()
      if (total !== null) live.expect(total)
      return live
    }
    // What it has taken in may be needed; of that it keeps nothing in its hands when it is stopped.
    if (live && start !== null) await unless(signal, live.feed.drained())
    await this.drop(image)
    return await this.open({ image, upload, start: start ?? 0, total, checksums }, signal)
  }

  /** @throws Refusal UPLOAD_CONFLICT when not as much is here as was promised; the reason of the signal */
  async open(beginning: Beginning, signal: AbortSignal): Promise<Assembly> {
    const { station, progress, records } = this.#options
    const { image, upload, start } = beginning
    const arrival = await Arrival.open(image.uid, station.store, start)
    if (arrival.offset !== start || signal.aborted) {
      await arrival.leave()
      signal.throwIfAborted()
      const failure = lost(start, arrival.offset)
      await records.settle(image, upload, failure, arrival.offset)
      throw failure
    }
    const transfer = progress.begin(image.uid, progress.floor(image.uid))
    const assembly = new Assembly(beginning, transfer, arrival, (its) => this.#run(its, arrival))
    this.#all.set(image.uid, assembly)
    return assembly
  }

  /** What is on its way in stops; what it has brought stays for whoever goes on. */
  async drop(image: Image): Promise<void> {
    await this.#options.active.stop(image.uid, 'taken over')
  }

  async #run(assembly: Assembly, arrival: Arrival): Promise<Image> {
    const { active, progress, journeys, onReady } = this.#options
    const { image } = assembly.beginning
    const { name, uid, attempt } = image
    const begun = { image: name, uid, source: 'Upload', attempt } as const
    const ran = await active.run(image.uid, 'the upload', async (signal) => {
      try {
        return await journeys.run(begun, (journey) =>
          this.#travel(assembly, arrival, journey, signal),
        )
      } finally {
        assembly.wake()
        this.#all.delete(image.uid)
        progress.end(image.uid, assembly.transfer)
      }
    })
    if (!ran) throw new Bug(`the image ${image.uid} has two transfers`)
    progress.forget(image.uid)
    onReady(image.name)
    return ran.result
  }

  async #travel(
    assembly: Assembly,
    arrival: Arrival,
    journey: RunningJourney,
    signal: AbortSignal,
  ): Promise<Image> {
    try {
      const ready = await this.#ingest(assembly, arrival, journey, signal)
      journey.conclude({ outcome: 'ready', digest: ready.stored?.manifest.digest ?? null })
      return ready
    } catch (error) {
      throw await this.#ended(assembly, error, journey, signal)
    }
  }

  async #ingest(
    { beginning, feed, transfer }: Assembly,
    arrival: Arrival,
    journey: Journey,
    signal: AbortSignal,
  ) {
    const { image, total: size, checksums } = beginning
    const onBytes = (count: number) => {
      transfer.add(count)
      journey.came(count)
    }
    return await ingest(
      { body: feed, size, checksums, onBytes, journey },
      arrival,
      this.#options.station,
      (ingested) => publish(image, ingested, {}, this.#shelf, signal),
      signal,
    )
  }

  get #shelf() {
    const { catalog, collector, now, station } = this.#options
    return { catalog, collector, now, store: station.store }
  }

  /** Records how an upload ended that did not end well; returns what the client is told. */
  async #ended(
    assembly: Assembly,
    error: unknown,
    journey: RunningJourney,
    signal: AbortSignal,
  ): Promise<Failure> {
    const { image, upload } = assembly.beginning
    const { progress, log, station } = this.#options
    const received = assembly.feed.position
    const failure = asFailure(explained(error, signal, received))
    log.warn({ image: image.name, code: failure.code, err: error, received }, 'upload failed')
    progress.keep(image.uid)
    const reason: unknown = signal.reason
    const isElsewhere = reason instanceof Stopped && !['shutdown', 'idle'].includes(reason.why)
    // Who deletes it, ends it or goes on with it records that.
    if (signal.aborted && isElsewhere) return failure
    if (!signal.aborted || isIdle(reason)) {
      const outcome = failure.row.kind === 'outage' ? 'retried' : 'failed'
      journey.conclude({ outcome, code: failure.code })
    }
    const size = assembly.isComplete ? received : assembly.beginning.total
    await this.record(image, async (records) => {
      if (failure.row.kind !== 'outage') return await records.giveUp(image, upload, failure)
      await records.settle(image, upload, failure, await stagedOf(image.uid, station.store, size))
    })
    return failure
  }

  /** Whoever waits is told what happened to the bytes, not that it could not be written down. */
  async record(image: Image, work: (records: UploadRecords) => Promise<void>): Promise<void> {
    try {
      await work(this.#options.records)
    } catch (cause) {
      this.#options.log.error(
        { image: image.name, err: cause },
        'the end of an upload could not be recorded',
      )
    }
  }
}

function isIdle(reason: unknown): boolean {
  return reason instanceof Stopped && reason.why === 'idle'
}

/** What a process that was killed had not brought to the disk. */
function lost(start: number, here: number): Refusal {
  return new Refusal(
    'UPLOAD_CONFLICT',
    `only ${here} of the first ${start} bytes of this upload are here; go on with curl -C ${here}`,
  )
}
