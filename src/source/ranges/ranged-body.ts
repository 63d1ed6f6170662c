import { Readable } from 'node:stream'
import { Outage } from '../../errors.ts'
import type { SourceBody } from '../body.ts'
import { unavailable } from '../breaks.ts'
import { patienceFor, type Pause } from '../registry/patience.ts'
import type { Tally } from '../tally.ts'
import { Denial } from './grant.ts'
import { Lane, type RangedFile } from './lane.ts'
import type { Pacing } from './pace.ts'
import { Plan } from './plan.ts'
import { pour } from './pour.ts'
import type { Span } from './span.ts'

export type Ranged = {
  readonly file: RangedFile
  /** Where the body begins in the file. */
  readonly offset: number
  /** The answer that is there already: all bytes from `offset` on. */
  readonly first: (signal: AbortSignal) => SourceBody
  readonly pace: Pacing
  readonly tally: Tally
  readonly pause: Pause
}

/** What has come is held in the spans; more than one chunk here would be copied into one. */
const highWaterMark = 64 * 1024

/** Tries of one part, one after the other, in which fewer than so many bytes come. */
const mostTries = 5
const progress = 64 * 1024

/**
 * A file that comes over several connections, in order. It begins with one, which is cut when others have begun. What
 * breaks then goes on at its next byte; when that is in vain, all of it fails with an Outage, as it does at once when one
 * of the answers is of another file. However it closes, all connections close.
 */
export class RangedBody extends Readable {
  readonly #source: Ranged
  readonly #plan: Plan
  readonly #signal: AbortSignal
  readonly #closing = new AbortController()
  readonly #idle: Lane[] = []
  readonly #tasks = new Set<Promise<void>>()
  #busy = 0
  #isHungry = false
  #isShared = false

  constructor(source: Ranged, signal: AbortSignal) {
    super({ highWaterMark })
    this.#source = source
    this.#plan = new Plan(source.offset, source.file.size)
    this.#signal = signal
    signal.addEventListener('abort', this.#abort)
    // A connection may break before the reader has come; the failure waits for it and must not stop the process.
    this.on('error', () => {})
    const whole = this.#plan.next(1)
    if (whole) this.#start(new Lane(source.file, source.first(this.#closing.signal)), whole)
  }

  override _read(): void {
    this.#isHungry = true
    this.#move()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#signal.removeEventListener('abort', this.#abort)
    void this.#close(error, done)
  }

  async #close(error: Error | null, done: (error?: Error | null) => void): Promise<void> {
    await this.#stop(error ?? new Error('closed'))
    done(error)
  }

  async #stop(reason: Error): Promise<void> {
    this.#closing.abort(reason)
    this.#plan.drop()
    await Promise.all(this.#idle.map((lane) => lane.close()))
    await Promise.all(this.#tasks)
  }

  #abort = (): void => {
    this.destroy(asError(this.#signal.reason))
  }

  /** Gives the reader what it waits for, and has that fetched for which there is room. */
  #move(): void {
    if (this.destroyed) return
    for (let chunk; this.#isHungry && (chunk = this.#plan.take());) {
      this.#isHungry = this.push(chunk)
    }
    this.#source.pace.waits(this.#isHungry)
    if (this.#plan.isDone) this.#end()
    else this.#fill()
  }

  #end(): void {
    if (this.#isHungry) this.push(null)
    this.#isHungry = false
  }

  #fill(): void {
    const { pace, file } = this.#source
    while (this.#busy < pace.wanted) {
      const span = this.#plan.next(pace.wanted)
      if (!span) break
      this.#start(this.#idle.pop() ?? new Lane(file), span)
    }
    while (this.#busy + this.#idle.length > pace.wanted) {
      const lane = this.#idle.pop()
      if (!lane) break
      this.#hold(lane.close())
    }
  }

  #start(lane: Lane, span: Span): void {
    this.#busy += 1
    this.#hold(this.#run(lane, span))
  }

  /** Whoever closes the body waits for it. */
  #hold(task: Promise<void>): void {
    this.#tasks.add(task)
    void task.finally(() => this.#tasks.delete(task))
  }

  async #run(lane: Lane, span: Span): Promise<void> {
    try {
      const isOver = await this.#bring(lane, span)
      if (isOver && !this.destroyed) this.#idle.push(lane)
      else await lane.close()
    } catch (error) {
      this.destroy(asError(error))
      await lane.close()
    } finally {
      this.#busy -= 1
      this.#move()
    }
  }

  /** @returns false when the connection is given up, and the span is left to others */
  async #bring(lane: Lane, span: Span): Promise<boolean> {
    let breaks = 0
    while (!span.isWhole) {
      const before = span.at
      const end = await this.#once(lane, span)
      if (span.isWhole) break
      if (end instanceof Denial && this.#leave(span, end)) return false
      breaks = span.at - before >= progress ? 1 : breaks + 1
      await this.#again(breaks, end)
    }
    return true
  }

  /** Fetches once; gives what it ended with. */
  async #once(lane: Lane, span: Span): Promise<Denial | Outage> {
    const { signal } = this.#closing
    const { isNew } = lane
    const body = await lane.open(span, signal)
    if (body instanceof Denial) return body
    if (this.#plan.begun(span)) this.#isShared = true
    if (isNew) this.#source.pace.joined()
    try {
      await pour(body, span, this.#plan.isLong(span), (chunk) => this.#put(span, chunk))
      return unavailable(`the source ended after ${span.at} of ${this.#source.file.size} bytes`)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof Outage) return error
      throw error
    }
  }

  #put(span: Span, chunk: Buffer): Buffer {
    const { tally, pace } = this.#source
    const before = span.at
    const left = span.put(chunk)
    tally.add(span.at - before)
    pace.add(span.at - before)
    this.#move()
    return left
  }

  /** Whether others go on without this connection. */
  #leave(span: Span, { why, failure }: Denial): boolean {
    const { pace } = this.#source
    if (this.#plan.recall(span)) {
      if (why === 'refused' && failure instanceof Outage) pace.refused(failure.retryAfter)
      else pace.never()
      return true
    }
    if (why === 'lie' || this.#busy === 1) return false
    this.#plan.giveBack(span)
    pace.refused(failure.retryAfter)
    return true
  }

  async #again(breaks: number, end: Denial | Outage): Promise<void> {
    const outage = end instanceof Denial ? outageOf(end) : end
    const isFinal = end instanceof Denial && !(end.why === 'refused' && end.failure === outage)
    if (isFinal || !this.#isShared || breaks > mostTries) throw outage
    if (breaks === 1 && !(end instanceof Denial)) return
    await this.#source.pause(patienceFor(breaks, outage), this.#closing.signal)
  }
}

/** The next opening tells whether it is final. */
function outageOf({ failure }: Denial): Outage {
  return failure instanceof Outage ? failure : unavailable(failure.message, failure)
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason })
}
