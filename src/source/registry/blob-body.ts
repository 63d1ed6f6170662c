import { Readable } from 'node:stream'
import { Bug, Outage } from '../../errors.ts'
import { unavailable } from '../breaks.ts'
import { otherSize, type OpenedBlob, type Stretch } from './blob.ts'
import type { Patience } from './patience.ts'
import type { BlobPart, Held } from './registry.ts'

export type BlobSource = {
  readonly part: BlobPart
  /** At most `part.size`. */
  readonly offset: number
  /** Not asked for. */
  readonly held: Held | null
  /** Opens a part of the blob once. */
  readonly open: (part: Stretch, signal: AbortSignal) => Promise<OpenedBlob>
  readonly patience: Patience
}

/** Bytes between two breaks that make the second one another break, and not the same one once more. */
const progress = 64 * 1024
/** Read at once of what is here. */
const pieceSize = 1024 * 1024
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
  /** Bytes that came over the network. */
  #came = 0
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
    const { part, patience } = this.#source
    let times = 0
    while (this.#at < part.size) {
      const before = this.#at
      try {
        yield* this.#stretch(signal)
      } catch (failure) {
        signal.throwIfAborted()
        times = this.#at - before >= progress ? 1 : times + 1
        if (!(failure instanceof Outage) || this.#skips > mostSkips) throw failure
        if (this.#at === part.size) return
        await patience({ failure, times, lost: this.#came }, signal)
      }
    }
  }

  /** Up to where what is here begins or ends. */
  #stretch(signal: AbortSignal): AsyncGenerator<Buffer, void> {
    const { part, held } = this.#source
    const isBefore = held && this.#at < held.start
    if (held && !isBefore && this.#at < held.end) return this.#fromHere(held, signal)
    return this.#once(isBefore ? held.start : part.size, signal)
  }

  async *#fromHere({ start, end, read }: Held, signal: AbortSignal): AsyncGenerator<Buffer, void> {
    while (this.#at < end) {
      const piece = await read(this.#at - start, Math.min(pieceSize, end - this.#at), signal)
      if (piece.length === 0) throw new Bug('less is here of a blob than was said')
      this.#at += piece.length
      yield piece
    }
  }

  /** What one connection gives. */
  async *#once(end: number, signal: AbortSignal): AsyncGenerator<Buffer, void> {
    const { part, open } = this.#source
    const { body, skip } = await open({ start: this.#at, end }, signal)
    let left = skip
    try {
      if (skip > 0) this.#countSkip()
      for await (const chunk of body) {
        const unread = chunk.subarray(Math.min(left, chunk.length))
        left -= chunk.length - unread.length
        if (this.#at + unread.length > part.size) throw otherSize(part, 'more bytes')
        const fresh = unread.subarray(0, end - this.#at)
        this.#at += fresh.length
        this.#came += fresh.length
        if (fresh.length > 0) yield fresh
        if (this.#at === end && end < part.size) return
      }
      if (this.#at < end) throw ended(part, this.#at)
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
