import { Readable } from 'node:stream'
import type { Outage } from '../errors.ts'
import { bodyFailure, unavailable } from './breaks.ts'
import type { Answer } from './exchange.ts'
import type { Tally } from './tally.ts'

export type Extent = {
  /** Where the body begins in the whole file. */
  readonly offset: number
  /** Bytes of the whole file, null when unknown. */
  readonly size: number | null
}

export type BodyOptions = {
  /** Milliseconds without a byte, for messages. */
  readonly silence: number
  readonly tally: Tally
}

/** Enough for a disk or a hash to work while the network delivers; a source never holds more than this and one read. */
const highWaterMark = 512 * 1024

/**
 * The body of an answer, counted. It ends only when all bytes were given; when the connection breaks, ends early or falls
 * silent it fails with an Outage, when it is aborted with the signal's reason. However it closes, the connection closes.
 */
export class SourceBody extends Readable {
  readonly #answer: Answer
  readonly #extent: Extent
  readonly #silence: number
  readonly #tally: Tally
  readonly #signal: AbortSignal
  #position: number

  constructor(answer: Answer, extent: Extent, options: BodyOptions, signal: AbortSignal) {
    super({ highWaterMark })
    this.#answer = answer
    this.#extent = extent
    this.#silence = options.silence
    this.#tally = options.tally
    this.#signal = signal
    this.#position = extent.offset
    signal.addEventListener('abort', this.#abort)
    // A connection may break before the reader has come; the failure waits for it and must not stop the process.
    this.on('error', () => {})
    answer.body
      .on('data', this.#take)
      .on('end', this.#finish)
      .on('error', (error) => this.#fail(error))
  }

  override _read(): void {
    this.#answer.body.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#signal.removeEventListener('abort', this.#abort)
    this.#answer.body.destroy()
    void this.#close(error, done)
  }

  async #close(error: Error | null, done: (error?: Error | null) => void): Promise<void> {
    await this.#answer.release()
    done(error)
  }

  #take = (chunk: Buffer): void => {
    this.#position += chunk.length
    this.#tally.add(chunk.length)
    if (!this.push(chunk)) this.#answer.body.pause()
  }

  #finish = (): void => {
    const size = this.#extent.size ?? this.#position
    const broke = this.#answer.broke()
    if (this.#position > size) this.destroy(excess(size))
    else if (this.#position < size || broke) this.#fail(broke)
    else this.push(null)
  }

  #abort = (): void => {
    const { reason } = this.#signal
    this.destroy(reason instanceof Error ? reason : new Error('aborted', { cause: reason }))
  }

  #fail(error: Error | null): void {
    if (this.#signal.aborted) this.#abort()
    else this.destroy(bodyFailure(error, this.#progress(), this.#silence))
  }

  #progress(): string {
    const { size } = this.#extent
    return size === null ? `${this.#position} bytes` : `${this.#position} of ${size} bytes`
  }
}

function excess(size: number): Outage {
  return unavailable(`the source sent more than its ${size} bytes; check the source`)
}
