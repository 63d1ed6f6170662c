import { Readable } from 'node:stream'
import type { Outage } from '../errors.ts'
import type { Pace } from './bandwidth.ts'
import { bodyFailure, unavailable } from './breaks.ts'
import type { Answer } from './exchange.ts'
import type { Tally } from './tally.ts'

export type Extent = {
  /** Where the body begins in the whole file. */
  readonly offset: number
  /** Bytes of the whole file, null when unknown. */
  readonly size: number | null
  /** Where the body ends, when that is before the end of the file. */
  readonly end?: number
}

export type BodyOptions = {
  /** Milliseconds without a byte, for messages. */
  readonly silence: number
  readonly tally: Tally
  /** Null for as fast as they come. */
  readonly pace: Pace | null
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
  readonly #pace: Pace | null
  readonly #signal: AbortSignal
  #position: number
  /** Withdraws the question whether what has come may be taken; null when nothing waits. */
  #withdraw: (() => void) | null = null
  #isOver = false

  constructor(answer: Answer, extent: Extent, options: BodyOptions, signal: AbortSignal) {
    super({ highWaterMark })
    this.#answer = answer
    this.#extent = extent
    this.#silence = options.silence
    this.#tally = options.tally
    this.#pace = options.pace
    this.#signal = signal
    this.#position = extent.offset
    signal.addEventListener('abort', this.#abort)
    // A connection may break before the reader has come; the failure waits for it and must not stop the process.
    this.on('error', () => {})
    answer.body
      .on('data', this.#take)
      .on('end', this.#over)
      .on('error', (error) => this.#fail(error))
  }

  override _read(): void {
    if (!this.#withdraw) this.#answer.body.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#signal.removeEventListener('abort', this.#abort)
    this.#withdraw?.()
    this.#answer.body.destroy()
    void this.#close(error, done)
  }

  async #close(error: Error | null, done: (error?: Error | null) => void): Promise<void> {
    await this.#answer.release()
    done(error)
  }

  #take = (chunk: Buffer): void => {
    if (this.#pace) this.#hold(chunk, this.#pace)
    else this.#pass(chunk)
  }

  /** What is held keeps the connection from being read, and that keeps the source from sending. */
  #hold(chunk: Buffer, pace: Pace): void {
    this.#answer.body.pause()
    this.#withdraw = pace.ask(chunk.length, (bytes) => {
      this.#withdraw = null
      if (bytes < chunk.length) this.#hold(chunk.subarray(bytes), pace)
      this.#pass(chunk.subarray(0, bytes))
      if (this.#isOver && !this.#withdraw) this.#finish()
    })
  }

  #pass(bytes: Buffer): void {
    this.#position += bytes.length
    this.#tally.add(bytes.length)
    if (!this.push(bytes)) this.#answer.body.pause()
    else if (!this.#withdraw) this.#answer.body.resume()
  }

  #over = (): void => {
    this.#isOver = true
    if (!this.#withdraw) this.#finish()
  }

  #finish(): void {
    const end = this.#extent.end ?? this.#extent.size ?? this.#position
    const broke = this.#answer.broke()
    if (this.#position > end) this.destroy(excess(end))
    else if (this.#position < end || broke) this.#fail(broke)
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
