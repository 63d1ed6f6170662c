import type { Catalog } from '../catalog/catalog.ts'
import type { Log } from '../log.ts'
import { isDue } from '../work/due.ts'
import type { Maintenance } from '../work/maintenance.ts'
import type { Ownership } from '../work/ownership.ts'

export type RoundsOptions = {
  readonly catalog: Catalog
  readonly maintenance: Maintenance
  /** @param thorough whether all that a crash can leave is looked for */
  readonly tidy: (thorough: boolean, signal: AbortSignal) => Promise<void>
  readonly ownership: Pick<Ownership, 'renew' | 'problem'>
  readonly now: () => number
  readonly log: Log
}

/** How often what crashed clients left is looked for, in milliseconds. */
const sweepEvery = 10 * 60_000
/** How often is looked whether a whole collection is due; the first time is so long after the start. */
const lookEvery = 3_600_000
const collectEvery = 24 * 3_600_000

/** What is done again and again while the service runs. */
export class Rounds {
  readonly #options: RoundsOptions
  readonly #timers: NodeJS.Timeout[] = []
  readonly #stopping = new AbortController()
  #tidying: Promise<void> = Promise.resolve()

  constructor(options: RoundsOptions) {
    this.#options = options
  }

  /** @param first is waited for before anything else */
  start(first: Promise<void>): void {
    this.#tidying = first
    this.#tidy(true)
    this.#timers.push(setInterval(() => this.#look(), sweepEvery).unref())
    this.#timers.push(setInterval(() => void this.#collectIfDue(), lookEvery).unref())
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    this.#stopping.abort()
    await this.#tidying
  }

  #look(): void {
    const { ownership } = this.#options
    const renew = () => this.#orTell(ownership.renew(), 'copies of the catalog look new')
    this.#tidying = this.#tidying.then(renew)
    this.#tidy(false)
  }

  #tidy(thorough: boolean): void {
    this.#tidying = this.#tidying.then(() => this.#tidyOwn(thorough))
  }

  /** What belongs to another service is not ours to remove. */
  async #tidyOwn(thorough: boolean): Promise<void> {
    const { tidy, ownership } = this.#options
    if (ownership.problem === null) await tidy(thorough, this.#stopping.signal)
  }

  async #collectIfDue(): Promise<void> {
    const { catalog, maintenance, now } = this.#options
    await this.#orTell(
      (async () => {
        const isTime = await isDue('gc', collectEvery, catalog.read.maintenance, now())
        if (isTime) await maintenance.start('gc')
      })(),
      'the collection could not begin',
    )
  }

  async #orTell(work: Promise<unknown>, what: string): Promise<void> {
    try {
      await work
    } catch (error) {
      this.#options.log.error({ err: error }, what)
    }
  }
}
