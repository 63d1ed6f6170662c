import type { SourceType } from '../image/data-source.ts'
import type { Log } from '../log.ts'
import { StageClock, type Stage, type Stay, type Visit } from './stages.ts'

/** An attempt to bring an image in. */
export type Begun = {
  /** The image's name and uid. */
  readonly image: string
  readonly uid: string
  readonly source: SourceType
  /** 1 for the first, whether it is the first of this process or not. */
  readonly attempt: number
  /** Milliseconds since 1970. */
  readonly at: number
}

/**
 * How an attempt ended: `retried` has broken off, and the service or the client goes on later; `stopped` was told to, by
 * whoever deletes the image or ends the service.
 */
export type Outcome = 'ready' | 'failed' | 'retried' | 'stopped'

export type Ended = Begun & {
  readonly endedAt: number
  readonly outcome: Outcome
  /** Of the failure that ended it, from the table of errors; null without one. */
  readonly code: string | null
  /** Bytes that crossed the network in this attempt. */
  readonly bytes: number
  /** Of the manifest of an image that is Ready. */
  readonly digest: string | null
  readonly stages: { readonly [stage in Stage]?: Visit }
}

/** Is told of every attempt. What it throws is logged and harms nobody. */
export interface Observer {
  /** Runs the attempt within whatever has to be around it; called once, and calls `run` once. */
  around?<Result>(begun: Begun, run: () => Promise<Result>): Promise<Result>
  came?(begun: Begun, bytes: number): void
  ended?(ended: Ended): void
}

/** What those at work on an image tell of it. */
export interface Journey {
  came(bytes: number): void
  during<Result>(stage: Stage, work: () => Promise<Result>): Promise<Result>
  /** To be left and entered again many times; disposing leaves it for good. */
  enter(stage: Stage): Stay
}

/** For bytes of which nobody is told. */
export const untold: Journey = {
  came() {},
  during: (_stage, work) => work(),
  enter: () => ({ enter() {}, leave() {}, [Symbol.dispose]() {} }),
}

type Conclusion = Pick<Ended, 'outcome'> & Partial<Pick<Ended, 'code' | 'digest'>>

/** An attempt that is under way. Whoever runs it says how it ended. */
export class RunningJourney implements Journey {
  readonly begun: Begun
  readonly #clock = new StageClock()
  readonly #observers: readonly Observer[]
  #conclusion: Conclusion = { outcome: 'stopped' }
  #bytes = 0

  constructor(begun: Begun, observers: readonly Observer[]) {
    this.begun = begun
    this.#observers = observers
  }

  came(bytes: number): void {
    this.#bytes += bytes
    for (const observer of this.#observers) observer.came?.(this.begun, bytes)
  }

  async during<Result>(stage: Stage, work: () => Promise<Result>): Promise<Result> {
    using stay = this.#clock.enter(stage)
    void stay
    return await work()
  }

  enter(stage: Stage): Stay {
    return this.#clock.enter(stage)
  }

  /** Without a word of how, it was stopped. */
  conclude(conclusion: Conclusion): void {
    this.#conclusion = conclusion
  }

  /** As it stands now. */
  ended(endedAt: number): Ended {
    return {
      ...this.begun,
      endedAt,
      code: null,
      digest: null,
      ...this.#conclusion,
      bytes: this.#bytes,
      stages: this.#clock.visits(),
    }
  }
}

export type JourneysOptions = { readonly now: () => number; readonly log: Log }

/** The one place that knows of all attempts to bring images in, and of the stages that they are in. */
export class Journeys {
  readonly #options: JourneysOptions
  readonly #observers: Observer[] = []

  constructor(options: JourneysOptions) {
    this.#options = options
  }

  /** To be called before the first attempt. */
  observe(observer: Observer): void {
    this.#observers.push(observer)
  }

  /** Runs an attempt; `work` concludes it. */
  async run<Result>(
    image: Omit<Begun, 'at'>,
    work: (journey: RunningJourney) => Promise<Result>,
  ): Promise<Result> {
    const journey = new RunningJourney({ ...image, at: this.#options.now() }, this.#observers)
    const innermost = async () => {
      try {
        return await work(journey)
      } finally {
        this.#tell(journey)
      }
    }
    return await this.#observers.reduce(
      (run, observer) => around(observer, journey.begun, run),
      innermost,
    )()
  }

  /** Within all that is around the attempt: a line of the log about its end belongs to its trace, too. */
  #tell(journey: RunningJourney): void {
    const { now, log } = this.#options
    const ended = journey.ended(now())
    for (const observer of this.#observers) {
      try {
        observer.ended?.(ended)
      } catch (error) {
        log.error({ err: error, image: ended.image }, 'the end of an attempt could not be told')
      }
    }
  }
}

function around<Result>(observer: Observer, begun: Begun, run: () => Promise<Result>) {
  return async () => (observer.around ? await observer.around(begun, run) : await run())
}
