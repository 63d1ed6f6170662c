import type { Catalog } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import type { Upload } from '../catalog/uploads.ts'
import { Refusal } from '../errors.ts'
import type { Active } from './active.ts'
import type { Deadlines } from './deadlines.ts'
import type { Progress } from './progress.ts'
import type { Room } from './room.ts'
import { tokenHash } from './server-key.ts'

export type DoorOptions = {
  readonly catalog: Catalog
  readonly active: Active
  readonly progress: Progress
  readonly deadlines: Deadlines
  readonly room: Room
  readonly now: () => number
}

/** A client at the door: its token is known, nothing of its body has been read. */
export type Admission = {
  readonly image: Image
  readonly upload: Upload
  /** Bytes that it announced, null when it did not. */
  readonly size: number | null
}

/** Where clients with a token come to: who may go in is decided here, before a byte of the body is read. */
export class UploadDoor {
  readonly #options: DoorOptions

  constructor(options: DoorOptions) {
    this.#options = options
  }

  /**
   * Everything that can be refused before a byte of the body is sent.
   * @throws Refusal UPLOAD_UNKNOWN, UPLOAD_GONE, UPLOAD_BUSY, UPLOAD_EMPTY, TOO_LARGE; Outage STORAGE_FULL
   */
  async admit(token: string, size: number | null): Promise<Admission> {
    const { upload, image } = await this.#find(token)
    await this.#assertOpen(upload, image)
    this.#assertFree(image)
    if (size === 0) throw empty()
    if (size !== null) await this.#options.room.check(size)
    return { image, upload, size }
  }

  /** What a look at the door tells, without opening it. */
  async state(token: string) {
    const found = await this.#find(token)
    const moved = this.#options.progress.of(found.image.uid)
    return { ...found, received: moved?.received ?? 0, length: moved?.total ?? null }
  }

  async #find(token: string): Promise<{ upload: Upload; image: Image }> {
    const { uploads, images } = this.#options.catalog.read
    const upload = await uploads.byTokenHash(tokenHash(token))
    const image = upload && (await images.byUid(upload.imageUid))
    if (upload && image) return { upload, image }
    throw new Refusal(
      'UPLOAD_UNKNOWN',
      'this upload URL is not known; copy it again from uploadCommand in the status of the image',
    )
  }

  async #assertOpen(upload: Upload, image: Image): Promise<void> {
    const { deadlines, now } = this.#options
    if (upload.expiresAt !== null && upload.expiresAt <= now()) {
      await deadlines.expire(upload)
      throw gone(image, 'expired')
    }
    if (upload.state === 'finished' || upload.state === 'expired') throw gone(image, upload.state)
    if (image.phase === 'Terminating') throw gone(image, 'finished')
  }

  #assertFree(image: Image): void {
    if (this.#options.active.holder(image.uid)) throw this.busy(image)
  }

  busy(image: Image): Refusal {
    const holder = this.#options.active.holder(image.uid)
    const since = holder ? ` since ${new Date(holder.since).toISOString()}` : ''
    return new Refusal(
      'UPLOAD_BUSY',
      `${holder?.who ?? 'another client'} is uploading this image${since}; wait until it has ended`,
    )
  }
}

export function empty(): Refusal {
  return new Refusal('UPLOAD_EMPTY', 'the upload has no bytes; check the file and send it again')
}

export function gone(image: Image, how: 'expired' | 'finished'): Refusal {
  const why =
    how === 'expired'
      ? 'the time for this upload is over'
      : `this upload URL was used already; the image "${image.name}" is ${image.phase}`
  return new Refusal(
    'UPLOAD_GONE',
    `${why}; ask for a new one with POST /api/v1/images/${image.name}/retry, or delete and create the image`,
  )
}
