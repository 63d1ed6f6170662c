import type { Catalog, Tables } from '../catalog/catalog.ts'
import type { Log } from '../log.ts'
import type { Clock } from './clock.ts'
import { scrubsSince } from './upkeep.ts'

export type ClockWatchOptions = {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly log: Log
}

/** How often the machine's clock is looked at: until it was, nothing has noticed that it was set. Milliseconds. */
const lookEvery = 1000
/** A smaller difference is made up for without a word. */
const most = 1000
/** How often the time is noted, for a start at which the clock has been set back. */
const noteEvery = 10 * 60_000
/** The fact that says what time it was. */
const latest = 'the time was'

/**
 * Sees when the machine's clock is set, by hand, by NTP, or because the machine slept, and takes all stored times along: what had
 * five minutes left still has five minutes. While no service runs, a clock that was set forward cannot be told from time that has
 * passed; one that was set back is noticed at the start.
 */
export class ClockWatch implements AsyncDisposable {
  readonly #options: ClockWatchOptions
  readonly #timer: NodeJS.Timeout
  #looking: Promise<void> = Promise.resolve()
  #noted = -Infinity

  private constructor(options: ClockWatchOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.look(), lookEvery).unref()
  }

  /** To be called before anything is held against the time. */
  static async open(options: ClockWatchOptions): Promise<ClockWatch> {
    const { catalog, clock, log } = options
    const noted = Number((await catalog.read.facts.read(latest)) ?? 0)
    const back = clock.now() - noted
    if (back < -most) {
      await catalog.transaction((tables) => move(tables, back))
      log.warn(
        { by: back },
        'the clock was set back while no service ran; all that waits goes on as before',
      )
    }
    const watch = new ClockWatch(options)
    watch.look()
    await watch.#looking
    return watch
  }

  look(): void {
    this.#looking = this.#looking
      .then(() => this.#look())
      .catch((error: unknown) => {
        this.#options.log.error({ err: error }, 'the clock could not be set; it is tried again')
      })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#noted = -Infinity
    this.look()
    await this.#looking
  }

  async #look(): Promise<void> {
    const { clock } = this.#options
    const by = clock.lag
    if (Math.abs(by) > most) return await this.#set(by)
    clock.set(by)
    if (performance.now() - this.#noted < noteEvery) return
    await this.#options.catalog.transaction((tables) => this.#note(tables))
  }

  /** Nobody reads the catalog before both have changed, and both stay as they were when it cannot be written. */
  async #set(by: number): Promise<void> {
    const { catalog, clock, log } = this.#options
    let isSet = false
    try {
      await catalog.transaction(async (tables) => {
        await move(tables, by)
        clock.set(by)
        isSet = true
        await this.#note(tables)
      })
    } catch (error) {
      if (isSet) clock.set(-by)
      throw error
    }
    log.warn({ by }, 'the clock of this machine was set; all that waits goes on as before')
  }

  async #note({ facts }: Pick<Tables, 'facts'>): Promise<void> {
    await facts.write(latest, String(this.#options.clock.now()))
    this.#noted = performance.now()
  }
}

async function move({ dueTimes, images, facts }: Tables, by: number): Promise<void> {
  await dueTimes.move(by)
  for (const { uid, phase, ready, nextRetryAt } of await images.waitingToRetry()) {
    await images.change(uid, { phase, ready, nextRetryAt: (nextRetryAt ?? 0) + by })
  }
  const since = await facts.read(scrubsSince)
  if (since !== null) await facts.write(scrubsSince, String(Number(since) + by))
}
