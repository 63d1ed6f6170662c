import type { Checksums } from '../image/data-source.ts'
import type { Image } from '../catalog/images.ts'
import type { Upload } from '../catalog/uploads.ts'
import { asFailure } from '../errors.ts'
import { unless } from '../unless.ts'
import type { Arrival } from './arrival.ts'
import { Feed } from './feed.ts'
import type { Transfer } from './progress.ts'

/** What an assembly is made of. */
export type Beginning = {
  readonly image: Image
  readonly upload: Upload
  /** Bytes that are here already. */
  readonly start: number
  /** Bytes of the whole file, null when nobody has told. */
  readonly total: number | null
  readonly checksums: Checksums
}

/**
 * The journey of one upload, over all the requests that bring its bytes: it waits for the next one when one has ended, so
 * that nothing is read twice. After a while without a request it is given up, and the next one begins another on what is
 * staged.
 */
export class Assembly {
  readonly beginning: Beginning
  readonly feed: Feed
  readonly transfer: Transfer
  /** All bytes are here. */
  isComplete = false
  /** The image, Ready; rejects with what the client is told. */
  readonly done: Promise<Image>
  readonly #arrival: Pick<Arrival, 'keep'>
  #resting: NodeJS.Timeout | null = null

  /** @param run takes in what the feed gives, and brings it to the arrival */
  constructor(
    beginning: Beginning,
    transfer: Transfer,
    arrival: Pick<Arrival, 'keep'>,
    run: (assembly: Assembly) => Promise<Image>,
  ) {
    this.beginning = beginning
    this.#arrival = arrival
    this.transfer = transfer
    this.feed = new Feed(beginning.start)
    transfer.expect(beginning.total, beginning.start)
    this.done = run(this)
    // Nobody may be waiting for it; how it ends is recorded.
    this.done.catch(() => {})
  }

  expect(total: number): void {
    this.transfer.expect(total, this.beginning.start)
  }

  /**
   * What was given survives a crash then, but for the first 128 KiB, which wait to be looked at as a whole. When that fails,
   * the journey ends, and `done` tells why: the next one begins at what is durable.
   */
  async keep(signal: AbortSignal): Promise<void> {
    await unless(signal, this.feed.drained())
    const kept = this.#arrival.keep().catch((error: unknown) => {
      this.feed.destroy(asFailure(error))
    })
    await unless(signal, kept)
  }

  complete(): void {
    this.isComplete = true
    this.feed.end()
  }

  /** Nobody brings bytes at present. */
  rest(limit: number, giveUp: () => void): void {
    this.wake()
    this.#resting = setTimeout(giveUp, limit).unref()
  }

  /** Somebody does again, or it has ended. */
  wake(): void {
    if (this.#resting) clearTimeout(this.#resting)
    this.#resting = null
  }
}
