import type { Catalog } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import type { Upload } from '../catalog/uploads.ts'
import type { Failure } from '../errors.ts'
import type { Checksums } from '../image/data-source.ts'
import { formatDuration } from '../image/duration.ts'
import { imageTag } from '../image/name.ts'
import type { Store } from '../store/store.ts'
import { Stopped } from './active.ts'
import { Arrival } from './arrival.ts'
import type { Collector } from './collect.ts'
import type { Deadlines } from './deadlines.ts'
import { leaseHolder } from './publish.ts'
import { tagKey } from './tag-record.ts'
import { gone, wayOn } from './upload-words.ts'

export type RecordOptions = {
  readonly catalog: Catalog
  readonly store: Store
  readonly collector: Collector
  readonly deadlines: Deadlines
  /** Milliseconds without a byte after which a begun upload is given up. */
  readonly idle: number
  readonly now: () => number
}

type Known = { readonly total: number | null; readonly checksums: Checksums }

/** What the catalog is told of uploads. Each step holds only where the upload is still where the step begins. */
export class UploadRecords {
  readonly #options: RecordOptions

  constructor(options: RecordOptions) {
    this.#options = options
  }

  /**
   * Bytes are arriving: from now on only silence ends the upload.
   * @throws Refusal UPLOAD_GONE when its time is over; Stopped when the image is being deleted
   */
  async begin(image: Image, upload: Upload, { total, checksums }: Known): Promise<void> {
    const { catalog, deadlines, now } = this.#options
    await catalog.transaction(async ({ uploads, images }) => {
      const current = await uploads.byTokenHash(upload.tokenHash)
      const late = current?.expiresAt != null && current.expiresAt <= now()
      if (!current || !isOpen(current) || late) throw gone(image, 'expired')
      await uploads.measure(upload.tokenHash, { length: total, checksums })
      // A client that sends part after part changes nothing that anybody sees.
      if (current.state === 'receiving') return
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

  /** A client is about to send a file anew, in requests of which none has a byte yet. */
  async announce(upload: Upload, total: number): Promise<void> {
    const { catalog, now, idle } = this.#options
    await catalog.transaction(async ({ uploads }) => {
      const current = await uploads.byTokenHash(upload.tokenHash)
      if (!current || !isOpen(current)) return
      await uploads.measure(upload.tokenHash, { length: total, offset: 0, checksums: {} })
      if (current.state === 'receiving') {
        await uploads.change(upload.tokenHash, 'interrupted', now() + idle)
      }
    })
    this.#options.deadlines.look()
  }

  /**
   * No bytes are arriving any more, and not all are here.
   * @param offset bytes that are
   */
  async interrupt(image: Image, upload: Upload, failure: Failure, offset: number): Promise<void> {
    await this.#waits(image, upload, failure, offset, ['receiving'])
  }

  /** As `interrupt`, by whoever has seen what is staged: that counts more than what was told before. */
  async settle(image: Image, upload: Upload, failure: Failure, offset: number): Promise<void> {
    await this.#waits(image, upload, failure, offset, ['receiving', 'interrupted'])
  }

  async #waits(
    image: Image,
    { tokenHash }: Upload,
    failure: Failure,
    offset: number,
    states: readonly Upload['state'][],
  ): Promise<void> {
    const { catalog, collector, deadlines, now, idle } = this.#options
    const left = await catalog.transaction(async ({ uploads, images, blobs }) => {
      const current = await uploads.byTokenHash(tokenHash)
      if (!current || !states.includes(current.state)) return []
      if (current.state === 'interrupted' && current.offset === offset) return []
      await uploads.measure(tokenHash, { offset })
      await uploads.change(tokenHash, 'interrupted', current.expiresAt ?? now() + idle)
      const way = wayOn(offset, current.length)
      await images.change(image.uid, {
        phase: 'Provisioning',
        ready: {
          reason: 'ProvisioningFailed',
          message: `${failure.message}; ${way} to the same URL within ${formatDuration(idle)}`,
        },
      })
      return await blobs.endLeases(leaseHolder(image))
    })
    await collector.collect(left)
    deadlines.look()
  }

  /** What it has brought goes, and the image fails. */
  async giveUp(image: Image, upload: Upload, failure: Failure): Promise<void> {
    const { catalog, collector, store } = this.#options
    const before = await catalog.read.uploads.byTokenHash(upload.tokenHash)
    if (!before || !isOpen(before)) return
    await store.records.remove(tagKey(image.name, imageTag))
    await Arrival.discard(image.uid, store)
    const late = failure.code === 'UPLOAD_TIMEOUT'
    const left = await catalog.transaction(async ({ uploads, images, blobs }) => {
      const current = await uploads.byTokenHash(upload.tokenHash)
      if (!current || !isOpen(current)) return []
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

function isOpen({ state }: Upload): boolean {
  return state === 'waiting' || state === 'receiving' || state === 'interrupted'
}
