import type { Catalog } from '../catalog/catalog.ts'
import type { Upload } from '../catalog/uploads.ts'
import { formatDuration } from '../image/duration.ts'
import type { Log } from '../log.ts'
import type { Active } from './active.ts'
import type { Store } from '../store/store.ts'
import { Alarm } from './alarm.ts'
import { Arrival } from './arrival.ts'

export type DeadlineOptions = {
  readonly catalog: Catalog
  readonly store: Store
  readonly active: Pick<Active, 'stop'>
  readonly ttl: number
  readonly idle: number
  readonly now: () => number
  readonly log: Log
}

/** How soon to look again after the catalog could not be read. */
const again = 5000

/**
 * Ends uploads whose stored time is over: the time runs on while the service is down, and what became due then is ended
 * at the start.
 */
export class Deadlines {
  readonly #options: DeadlineOptions
  readonly #alarm: Alarm
  #looking: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: DeadlineOptions) {
    this.#options = options
    this.#alarm = new Alarm(options.now, () => this.look())
  }

  /** Something may be due, or due earlier than before. */
  look(): void {
    this.#looking = this.#looking
      .then(() => this.#endAll())
      .catch((error: unknown) => {
        this.#options.log.error({ err: error }, 'the deadlines could not be read')
        this.#alarm.set(this.#options.now() + again)
      })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#alarm.clear()
    await this.#looking
  }

  /**
   * Ends one upload whose time is over; a byte that arrived first wins. Nothing begins once it is over, and nobody can ask
   * for another attempt before what is here of this one is gone.
   */
  async expire(upload: Upload): Promise<void> {
    const { catalog, store, active, now, log } = this.#options
    if (!isOver(await catalog.read.uploads.byTokenHash(upload.tokenHash), now())) return
    // Only a client that has not sent its first byte can still be there.
    await active.stop(upload.imageUid, 'expired')
    await Arrival.discard(upload.imageUid, store)
    await catalog.transaction(async ({ uploads, images }) => {
      const current = await uploads.byTokenHash(upload.tokenHash)
      if (!current || !isOver(current, now())) return
      await uploads.change(upload.tokenHash, 'expired', null)
      const image = await images.byUid(upload.imageUid)
      if (image?.phase !== 'WaitForUserUpload' && image?.phase !== 'Provisioning') return
      const message = this.#message(current)
      await images.change(image.uid, {
        phase: 'Failed',
        ready: { reason: 'WaitForUserUploadTimeout', message },
        source: { reason: 'DatasourceNotReady', message },
      })
      log.info({ image: image.name }, 'upload timed out')
    })
  }

  async #endAll(): Promise<void> {
    if (this.#stopped) return
    const { uploads } = this.#options.catalog.read
    for (const upload of await uploads.expired(this.#options.now())) await this.expire(upload)
    if (!this.#stopped) this.#alarm.set((await uploads.nextEnd()) ?? Infinity)
  }

  #message({ state }: Upload): string {
    const { ttl, idle } = this.#options
    const what =
      state === 'interrupted'
        ? `the upload broke off and was not sent again within ${formatDuration(idle)}`
        : `no upload was begun within ${formatDuration(ttl)}`
    return `${what}; ask for a new upload URL with retry, or delete the image`
  }
}

function isOver(upload: Upload | null, now: number): boolean {
  return upload?.expiresAt != null && upload.expiresAt <= now
}
