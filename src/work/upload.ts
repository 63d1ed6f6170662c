import type { Readable } from 'node:stream'
import type { Catalog } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import type { Upload } from '../catalog/uploads.ts'
import { asFailure, Outage, Refusal, type Failure } from '../errors.ts'
import { checksumsOf } from '../image/data-source.ts'
import { formatDuration } from '../image/duration.ts'
import { imageTag } from '../image/name.ts'
import { formatSize } from '../image/size.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import { Stopped, type Active } from './active.ts'
import { Arrival } from './arrival.ts'
import type { Collector } from './collect.ts'
import type { Deadlines } from './deadlines.ts'
import { ingest, type Station } from './ingest.ts'
import type { Progress } from './progress.ts'
import { leaseHolder, publish } from './publish.ts'
import { empty, gone, type Admission, type UploadDoor } from './upload-door.ts'
import { tagKey } from './tag-record.ts'
import { bindTo, isBroken, untilIdle } from './body.ts'
import { peek } from '../unwrap/peek.ts'

export type ReceptionOptions = {
  readonly catalog: Catalog
  readonly store: Store
  readonly station: Station
  readonly collector: Collector
  readonly active: Active
  readonly progress: Progress
  readonly deadlines: Deadlines
  readonly door: UploadDoor
  /** Milliseconds without a byte after which a begun upload is given up. */
  readonly idle: number
  readonly now: () => number
  readonly log: Log
  readonly onReady: (name: string) => void
}

/** Takes uploads in: one body becomes one image. */
export class Reception {
  readonly #options: ReceptionOptions

  constructor(options: ReceptionOptions) {
    this.#options = options
  }

  /**
   * Takes the body in. A body that breaks off can be sent again from its beginning; bytes that are refused cannot.
   * @param who the client's address, told to whoever comes second
   * @returns the image, Ready
   */
  async receive(admission: Admission, body: Readable, who: string): Promise<Image> {
    const { active, progress, log, onReady } = this.#options
    const { image } = admission
    const ran = await active.run(image.uid, who, (signal) => this.#take(admission, body, signal))
    if (!ran) throw this.#options.door.busy(image)
    progress.forget(image.uid)
    log.info({ image: image.name, digest: ran.result.stored?.manifest.digest }, 'image ready')
    onReady(image.name)
    return ran.result
  }

  async #take(admission: Admission, body: Readable, signal: AbortSignal): Promise<Image> {
    const { image, upload, size } = admission
    const { progress, station, idle } = this.#options
    const transfer = progress.begin(image.uid, progress.floor(image.uid))
    transfer.expect(size)
    using watched = untilIdle(body, idle, signal)
    bindTo(watched.signal, body)
    try {
      const { head, body: begun } = await peek(body)
      if (head.length === 0) throw empty()
      await this.#begin(image, upload)
      const arrival = await Arrival.open(image.uid, station.store)
      await arrival.restart()
      return await ingest(
        {
          body: begun,
          size,
          checksums: checksumsOf(image.dataSource),
          onBytes: (count) => transfer.add(count),
        },
        arrival,
        station,
        (ingested) => publish(image, ingested, {}, this.#options, signal),
        watched.signal,
      )
    } catch (error) {
      throw await this.#ended(admission, error, watched.signal, transfer.snapshot().received)
    } finally {
      progress.end(image.uid, transfer)
      body.destroy()
    }
  }

  /** The first byte is there: from now on only silence ends the upload. */
  async #begin(image: Image, upload: Upload): Promise<void> {
    const { catalog, deadlines, now } = this.#options
    await catalog.transaction(async ({ uploads, images }) => {
      const current = await uploads.byTokenHash(upload.tokenHash)
      const late = current?.expiresAt != null && current.expiresAt <= now()
      const open = current?.state === 'waiting' || current?.state === 'interrupted'
      if (!open || late) throw gone(image, 'expired')
      await uploads.change(upload.tokenHash, 'receiving', null)
      const begun = await images.change(image.uid, {
        phase: 'Provisioning',
        ready: { reason: 'Provisioning', message: '' },
        source: { reason: 'DatasourceReady', message: '' },
      })
      if (!begun) throw new Stopped('deleted')
    })
    deadlines.look()
  }

  /** Records how an upload ended that did not end well; returns what the client is told. */
  async #ended(
    { image, upload }: Admission,
    error: unknown,
    signal: AbortSignal,
    received: number,
  ): Promise<Failure> {
    const { log, catalog } = this.#options
    const failure = asFailure(explained(error, signal, received))
    log.warn({ image: image.name, code: failure.code, err: error, received }, 'upload failed')
    try {
      const current = await catalog.read.uploads.byTokenHash(upload.tokenHash)
      if (current?.state !== 'receiving') return failure
      const again = failure.row.kind === 'outage'
      await (again ? this.#interrupt(image, upload, failure) : this.#giveUp(image, upload, failure))
    } catch (cause) {
      log.error({ image: image.name, err: cause }, 'the end of an upload could not be recorded')
    }
    return failure
  }

  /** Uploads whose end could not be recorded, because the catalog could not be written then, can be sent again. */
  async reclaim(): Promise<void> {
    const { catalog, active } = this.#options
    for (const upload of await catalog.read.uploads.inState('receiving')) {
      const image = await catalog.read.images.byUid(upload.imageUid)
      if (!image || active.holder(image.uid)) continue
      await this.#interrupt(image, upload, new Outage('UPLOAD_INTERRUPTED', 'the upload broke off'))
    }
  }

  async #interrupt(image: Image, upload: Upload, failure: Failure): Promise<void> {
    const { catalog, deadlines, collector, progress, now, idle } = this.#options
    progress.keep(image.uid)
    const left = await catalog.transaction(async ({ uploads, images, blobs }) => {
      const still = await images.byUid(image.uid)
      if (still?.phase !== 'Provisioning') return []
      await uploads.change(upload.tokenHash, 'interrupted', now() + idle)
      await images.change(image.uid, {
        phase: 'Provisioning',
        ready: {
          reason: 'ProvisioningFailed',
          message: `${failure.message}; send the file again to the same URL within ${formatDuration(idle)}`,
        },
      })
      return await blobs.endLeases(leaseHolder(image))
    })
    await collector.collect(left)
    deadlines.look()
  }

  async #giveUp(image: Image, upload: Upload, failure: Failure): Promise<void> {
    const { catalog, collector, store } = this.#options
    await store.records.remove(tagKey(image.name, imageTag))
    const late = failure.code === 'UPLOAD_TIMEOUT'
    const left = await catalog.transaction(async ({ uploads, images, blobs }) => {
      const still = await images.byUid(image.uid)
      if (still?.phase !== 'Provisioning') return []
      await uploads.change(upload.tokenHash, late ? 'expired' : 'finished', null)
      await images.change(image.uid, {
        phase: 'Failed',
        ready: {
          reason: late ? 'WaitForUserUploadTimeout' : 'ProvisioningFailedTerminally',
          message: failure.message,
        },
        source: { reason: 'DatasourceNotReady', message: failure.message },
      })
      return await blobs.endLeases(leaseHolder(image))
    })
    await collector.collect(left)
  }
}

function broken(received: number): Outage {
  return new Outage(
    'UPLOAD_INTERRUPTED',
    `the connection of the upload broke after ${received} bytes (${formatSize(received)})`,
  )
}

/** A stopped transfer and a broken connection, in words. */
function explained(error: unknown, signal: AbortSignal, received: number): unknown {
  const reason: unknown = signal.aborted ? signal.reason : error
  if (reason instanceof Stopped) return stoppedBy(reason)
  if (reason instanceof Refusal) return reason
  return isBroken(error) ? broken(received) : error
}

function stoppedBy({ why }: Stopped): Failure {
  if (why === 'shutdown') return new Outage('SHUTTING_DOWN', 'the service is being restarted')
  const what = why === 'expired' ? 'the time for this upload is over' : 'the image was deleted'
  return new Refusal(
    'UPLOAD_GONE',
    `${what}; ask for a new upload URL with retry, or create it again`,
  )
}
