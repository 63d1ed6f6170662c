import type { MaintenanceRun } from '../catalog/maintenance-runs.ts'
import { Alarm } from './alarm.ts'
import type { Maintenance } from './maintenance.ts'
import { lookOver, type PresenceOptions } from './presence.ts'

export type UpkeepOptions = PresenceOptions & {
  readonly maintenance: Maintenance
  /** Milliseconds from a scrub to the next one, null for none. */
  readonly every: number | null
  readonly now: () => number
}

/** A run that failed is tried again so much later, in milliseconds, if its next turn is not due before. */
const afterFailure = 3_600_000
/** How soon to look again after the catalog could not be read, in milliseconds. */
const again = 60_000
/** The fact that says since when scrubs are due: a new catalog has not missed any. */
export const scrubsSince = 'scrubs are due since'

/** What is looked after without being asked: the presence of everything after a start, and a scrub now and then. */
export class Upkeep {
  readonly #options: UpkeepOptions
  readonly #closing = new AbortController()
  readonly #alarm: Alarm
  #looking: Promise<void> = Promise.resolve()
  #over: Promise<void> = Promise.resolve()

  constructor(options: UpkeepOptions) {
    this.#options = options
    this.#alarm = new Alarm(options.now, () => this.#look())
  }

  /** Does nothing that anybody would have to wait for. */
  start(): void {
    this.#over = this.#lookOver()
    this.#looking = this.#goOn()
    this.#look()
  }

  /** Resolves when everything was looked over, and what was due has begun. */
  async settled(): Promise<void> {
    await Promise.all([this.#over, this.#looking])
  }

  async stop(): Promise<void> {
    this.#closing.abort(new DOMException('the service is about to end', 'AbortError'))
    this.#alarm.clear()
    await this.settled()
    this.#alarm.clear()
  }

  async #lookOver(): Promise<void> {
    const { signal } = this.#closing
    try {
      await lookOver(this.#options, signal)
    } catch (error) {
      if (!signal.aborted)
        this.#options.log.error({ err: error }, 'the images were not looked over')
    }
  }

  /** A scrub that a stop has interrupted goes on, whoever had asked for it. */
  async #goOn(): Promise<void> {
    try {
      await this.#options.maintenance.goOn('scrub')
    } catch (error) {
      this.#options.log.error({ err: error }, 'an interrupted scrub does not go on')
    }
  }

  #look(): void {
    this.#looking = this.#looking
      .then(() => this.#startIfDue())
      .catch((error: unknown) => {
        this.#options.log.error({ err: error }, 'whether a scrub is due could not be looked up')
        this.#alarm.set(this.#options.now() + again)
      })
  }

  async #startIfDue(): Promise<void> {
    const { maintenance, now, every, rate } = this.#options
    if (every === null || this.#closing.signal.aborted) return
    const due = await this.#due(every)
    if (due > now()) return this.#alarm.set(due)
    await maintenance.start('scrub', { rate })
    void this.#afterwards()
  }

  async #afterwards(): Promise<void> {
    await this.#options.maintenance.finished('scrub')
    if (!this.#closing.signal.aborted) this.#look()
  }

  async #due(every: number): Promise<number> {
    const { maintenance } = this.#options.catalog.read
    const done = endOf(await maintenance.newest('scrub', 'done'))
    const failed = endOf(await maintenance.newest('scrub', 'failed'))
    const turn = Math.max(done, await this.#begun()) + every
    return failed > done ? Math.max(turn, failed + Math.min(every, afterFailure)) : turn
  }

  async #begun(): Promise<number> {
    const { catalog, now } = this.#options
    const since = await catalog.read.facts.read(scrubsSince)
    if (since !== null) return Number(since)
    await catalog.transaction(({ facts }) => facts.write(scrubsSince, String(now())))
    return now()
  }
}

function endOf(run: MaintenanceRun | null): number {
  return run?.finishedAt ?? 0
}
