import type { Catalog } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import type { Log } from '../log.ts'
import { mostTries, pause, type Patience, type Pause } from '../source/registry/patience.ts'
import { backoff } from './backoff.ts'

export type WaitingOptions = {
  readonly catalog: Catalog
  readonly retryFor: number
  readonly now: () => number
  /** Milliseconds that nobody sets. */
  readonly steady: () => number
  readonly random: () => number
  readonly log: Log
  /** Stands in for the clock. */
  readonly pause?: Pause
}

/** An import that waits keeps its slot from others; beyond this it begins anew when its turn comes, in milliseconds. */
const longestHeld = 5 * 60_000

/**
 * Waits for a source that broke off in the middle, with the import still alive: for five minutes where
 * giving up would cost what has come, else for a few tries, since a later attempt goes on for nothing and leaves its place
 * in the queue to others meanwhile. The image tells of each wait as it does of any other.
 */
export class Waiting {
  readonly #uid: string
  readonly #name: string
  readonly #options: WaitingOptions
  #until: number | null = null
  #heldUntil = 0

  constructor({ uid, name }: Image, options: WaitingOptions) {
    this.#uid = uid
    this.#name = name
    this.#options = options
  }

  /** When the source that is away now is given up; null while none was. */
  get until(): number | null {
    const { now, steady } = this.#options
    return this.#until === null ? null : Math.round(now() + this.#until - steady())
  }

  readonly patience: Patience = async ({ failure, times, lost }, signal) => {
    const { now, steady, random, retryFor, log } = this.#options
    const since = steady()
    if (times === 1 || this.#until === null) {
      this.#until = since + retryFor
      this.#heldUntil = since + Math.min(retryFor, longestHeld)
    }
    const wait = backoff(times, failure.retryAfter, random)
    if (since + wait > this.#heldUntil || (lost === 0 && times > mostTries)) throw failure
    await this.#tell(failure.message, now() + wait)
    log.warn({ image: this.#name, err: failure }, 'the source broke off; the import waits for it')
    await (this.#options.pause ?? pause)(since + wait - steady(), signal)
    await this.#goOn()
  }

  async #tell(message: string, at: number): Promise<void> {
    await this.#options.catalog.transaction(async ({ images }) => {
      const image = await images.byUid(this.#uid)
      if (!image) return
      await images.change(this.#uid, {
        phase: 'Provisioning',
        ready: { reason: 'ProvisioningFailed', message },
        source: { reason: 'DatasourceNotReady', message },
        retries: image.retries + 1,
        nextRetryAt: at,
      })
    })
  }

  async #goOn(): Promise<void> {
    await this.#options.catalog.transaction(({ images }) =>
      images.change(this.#uid, {
        phase: 'Provisioning',
        ready: { reason: 'Provisioning', message: '' },
        source: { reason: 'DatasourceReady', message: '' },
        nextRetryAt: null,
      }),
    )
  }
}
