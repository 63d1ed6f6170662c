import { Failure } from '../errors.ts'
import { backoff } from '../client/pause.ts'
import { Row } from './row.ts'

/** `later` is what may wait, such as progress: it is served in between, and keeps nothing else waiting. */
export type Lane = 'first' | 'later'

export type Work = (key: string, signal: AbortSignal) => Promise<void>

export type QueueOptions = {
  readonly random: () => number
  /** When what a key stands for came into being; without it nobody is younger than others. */
  readonly bornAt?: (key: string) => number
  /** Told of every piece of work, with the seconds it took. */
  readonly onWork?: (seconds: number) => void
  /** Told of work that failed, which is tried again. */
  readonly onFailure?: (key: string, error: unknown) => void
}

/** Before the first further attempt, and the most, in milliseconds. */
const first = 200
const longest = 60_000
/** So many of lane `first` are served in a row while one of lane `later` waits. */
const inRow = 3

type Delay = { readonly at: number; readonly timer: NodeJS.Timeout }

/**
 * Keys that want work. Whoever works looks at how things are, not at what has changed, so a key that is added often is
 * worked on once; one that is added while it is worked on comes again, and is never worked on twice at once. However many wait,
 * every other turn of lane `first` is that of the youngest: who has just come does not wait for all who came before.
 */
export class WorkQueue {
  readonly #options: QueueOptions
  readonly #lanes: { readonly first: Row; readonly later: Set<string> }
  readonly #delays = { first: new Map<string, Delay>(), later: new Map<string, Delay>() }
  readonly #failures = new Map<string, number>()
  /** What is worked on, and the lane in which it comes again, null where it does not. */
  readonly #working = new Map<string, Lane | null>()
  #laterAtWork = 0
  #row = 0
  #isForYoungest = false
  #wake = Promise.withResolvers<void>()

  constructor(options: QueueOptions) {
    this.#options = options
    this.#lanes = { first: new Row(options.bornAt ?? (() => 0)), later: new Set() }
  }

  /** How many keys wait, without those that are due later. */
  get depth(): number {
    return this.#lanes.first.size + this.#lanes.later.size
  }

  add(key: string, lane: Lane = 'first'): void {
    if (this.#working.has(key)) {
      this.#working.set(key, urgent(this.#working.get(key) ?? lane, lane))
      return
    }
    if (this.#lanes.first.has(key)) return
    if (lane === 'first') this.#lanes.later.delete(key)
    this.#lanes[lane].add(key)
    this.#wakeUp()
  }

  /** As `add`, after so many milliseconds. Of several delays in a lane the earliest holds. */
  addAfter(key: string, milliseconds: number, lane: Lane = 'first'): void {
    const delays = this.#delays[lane]
    const at = performance.now() + milliseconds
    const known = delays.get(key)
    if (known && known.at <= at) return
    clearTimeout(known?.timer)
    const due = () => {
      delays.delete(key)
      this.add(key, lane)
    }
    delays.set(key, { at, timer: setTimeout(due, milliseconds).unref() })
  }

  /**
   * Comes again after a while, longer with each time, and keeps nobody waiting who comes for the first time.
   * @param least milliseconds, as whoever refused asked for
   */
  retry(key: string, least = 0): void {
    const failures = this.#failures.get(key) ?? 0
    this.#failures.set(key, failures + 1)
    const wait = backoff(failures, { first, longest, random: this.#options.random })
    this.addAfter(key, Math.max(least, wait), 'later')
  }

  /** The next `retry` is a first one again. */
  forget(key: string): void {
    this.#failures.delete(key)
  }

  /**
   * Works on the keys, each with `work`, until the signal ends; resolves when nothing is worked on any more. Work that
   * throws is tried again, with `retry`; what the signal cut short waits for the next run.
   */
  async run(workers: number, work: Work, signal: AbortSignal): Promise<void> {
    const wake = () => this.#wakeUp()
    signal.addEventListener('abort', wake)
    const all = Array.from({ length: workers }, () => this.#serve(workers, work, signal))
    await Promise.all(all)
    signal.removeEventListener('abort', wake)
  }

  /** Forgets what was to come later. */
  [Symbol.dispose](): void {
    for (const delays of Object.values(this.#delays)) {
      for (const { timer } of delays.values()) clearTimeout(timer)
      delays.clear()
    }
  }

  async #serve(workers: number, work: Work, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const lane = this.#next(workers)
      if (lane === null) await this.#wake.promise
      else await this.#workOn(this.#take(lane), lane, work, signal)
    }
  }

  /** The lane whose turn it is; null when nothing may begin. */
  #next(workers: number): Lane | null {
    const { first, later } = this.#lanes
    // One worker is free of it, so that what comes first begins at once.
    const mayLater = later.size > 0 && this.#laterAtWork < Math.max(1, workers - 1)
    if (mayLater && (first.size === 0 || this.#row >= inRow)) return 'later'
    return first.size > 0 ? 'first' : null
  }

  #take(lane: Lane): string {
    const key = lane === 'first' ? this.#takeFirst() : this.#takeLater()
    this.#row = lane === 'first' ? this.#row + 1 : 0
    this.#working.set(key, null)
    return key
  }

  #takeFirst(): string {
    const { first } = this.#lanes
    const isForYoungest = this.#isForYoungest && this.#options.bornAt !== undefined
    this.#isForYoungest = !this.#isForYoungest
    return (isForYoungest ? first.takeYoungest() : first.takeOldest()) ?? ''
  }

  #takeLater(): string {
    const [key = ''] = this.#lanes.later
    this.#lanes.later.delete(key)
    return key
  }

  async #workOn(key: string, lane: Lane, work: Work, signal: AbortSignal): Promise<void> {
    const began = performance.now()
    if (lane === 'later') this.#laterAtWork += 1
    try {
      await work(key, signal)
    } catch (error) {
      this.#failed(key, error, signal)
    } finally {
      if (lane === 'later') this.#laterAtWork -= 1
      this.#options.onWork?.((performance.now() - began) / 1000)
      this.#end(key)
    }
  }

  #failed(key: string, error: unknown, signal: AbortSignal): void {
    if (signal.aborted) {
      this.add(key)
      return
    }
    this.retry(key, (error instanceof Failure && error.retryAfter) || 0)
    this.#options.onFailure?.(key, error)
  }

  #end(key: string): void {
    const lane = this.#working.get(key) ?? null
    this.#working.delete(key)
    if (lane !== null) this.add(key, lane)
    // A place for lane `later` may have become free.
    this.#wakeUp()
  }

  #wakeUp(): void {
    this.#wake.resolve()
    this.#wake = Promise.withResolvers()
  }
}

function urgent(one: Lane, other: Lane): Lane {
  return one === 'first' || other === 'first' ? 'first' : 'later'
}
