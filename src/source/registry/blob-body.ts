import { Readable } from 'node:stream'
import { Outage } from '../../errors.ts'
import { unavailable } from '../breaks.ts'
import { otherSize, type OpenedBlob } from './blob.ts'
import { patienceFor, type Pause } from './patience.ts'
import type { BlobPart } from './registry.ts'

export type BlobSource = {
  readonly part: BlobPart
  /** At most `part.size`. */
  readonly offset: number
  /** Opens the blob once, from an offset on. */
  readonly open: (offset: number, signal: AbortSignal) => Promise<OpenedBlob>
  readonly pause: Pause
}

/** Tries after a break, one after the other, in which fewer than so many bytes come. */
const mostTries = 5
const progress = 64 * 1024
/** Times that a blob is read from its start again to get to where it broke. */
const mostSkips = 5

/**
 * The bytes of a blob over as many connections as it takes. Holds no more than the body of one connection and one chunk.
 * However it closes, the connection closes.
 */
export class BlobBody extends Readable {
  readonly #source: BlobSource
  readonly #signal: AbortSignal
  readonly #closing = new AbortController()
  readonly #bytes: AsyncGenerator<Buffer, void>
  #at: number
  #skips = 0

  private constructor(source: BlobSource, signal: AbortSignal) {
    super()
    this.#source = source
    this.#at = source.offset
    this.#signal = signal
    signal.addEventListener('abort', this.#abort)
    // An abort may come before the reader has; its reason waits for it and must not stop the process.
    this.on('error', () => {})
    this.#bytes = this.#run(this.#closing.signal)
  }

  /**
   * Resolves with the first bytes.
   * @throws as `Registry.blob`; the reason of an abort
   */
  static async open(source: BlobSource, signal: AbortSignal): Promise<BlobBody> {
    signal.throwIfAborted()
    const body = new BlobBody(source, signal)
    try {
      await body.#advance()
      return body
    } catch (error) {
      body.destroy()
      signal.throwIfAborted()
      throw error
    }
  }

  override _read(): void {
    this.#advance().catch((error: unknown) => this.destroy(asError(error)))
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#signal.removeEventListener('abort', this.#abort)
    void this.#close(error, done)
  }

  async #close(error: Error | null, done: (error?: Error | null) => void): Promise<void> {
    await this.#stop(error ?? new Error('closed'))
    done(error)
  }

  /** Whatever the bytes end with now is this very end. */
  async #stop(reason: Error): Promise<void> {
    this.#closing.abort(reason)
    await Promise.allSettled([this.#bytes.return()])
  }

  #abort = (): void => {
    this.destroy(asError(this.#signal.reason))
  }

  async #advance(): Promise<void> {
    const { done, value } = await this.#bytes.next()
    this.push(done ? null : value)
  }

  async *#run(signal: AbortSignal): AsyncGenerator<Buffer, void> {
    const { part, pause } = this.#source
    let breaks = 0
    while (this.#at < part.size) {
      const before = this.#at
      try {
        yield* this.#once(signal)
      } catch (error) {
        signal.throwIfAborted()
        breaks = this.#at - before >= progress ? 1 : breaks + 1
        if (!(error instanceof Outage) || breaks > mostTries) throw error
        if (this.#at < part.size) await pause(patienceFor(breaks, error), signal)
      }
    }
  }

  /** What one connection gives. */
  async *#once(signal: AbortSignal): AsyncGenerator<Buffer, void> {
    const { part, open } = this.#source
    const { body, skip } = await open(this.#at, signal)
    let left = skip
    try {
      if (skip > 0) this.#countSkip()
      for await (const chunk of body) {
        const fresh = chunk.subarray(Math.min(left, chunk.length))
        left -= chunk.length - fresh.length
        if (this.#at + fresh.length > part.size) throw otherSize(part, 'more bytes')
        this.#at += fresh.length
        if (fresh.length > 0) yield fresh
      }
      if (this.#at < part.size) throw ended(part, this.#at)
    } finally {
      body.destroy()
    }
  }

  /** A blob that breaks again and again would be read over and over. */
  #countSkip(): void {
    this.#skips += 1
    if (this.#skips <= mostSkips) return
    const { digest } = this.#source.part
    throw unavailable(
      `the connection for the blob ${digest} broke at ${this.#at} and earlier, and the registry knows no ranges; try again when the network is better`,
    )
  }
}

function ended({ digest, size }: BlobPart, at: number): Outage {
  return unavailable(`the registry ended the blob ${digest} after ${at} of ${size} bytes`)
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason })
}
