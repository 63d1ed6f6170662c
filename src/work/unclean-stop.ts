import type { Catalog } from '../catalog/catalog.ts'
import { quickCheckAside } from '../catalog/quick-check.ts'
import { wayOut } from '../catalog/soundness.ts'
import type { Log } from '../log.ts'

/** Facts of a catalog: how its last process ended, and what was found wrong with it. */
const fact = 'stopped'
const cleanly = 'cleanly'
const damage = 'damage'

export type UncleanStopOptions = {
  readonly catalog: Catalog
  /** Of the catalog's file. */
  readonly path: string
  readonly log: Log
}

/**
 * Looks through the catalog after a crash or a power cut, beside everything else that goes on. A stop is clean once that
 * look is over, too.
 */
export class UncleanStop implements AsyncDisposable {
  readonly #options: UncleanStopOptions
  readonly #closing = new AbortController()
  #isDue: boolean
  #looking: Promise<void> = Promise.resolve()
  /** What is wrong with the catalog, as far as that is known; null for nothing. */
  problem: string | null = null

  private constructor(options: UncleanStopOptions, isDue: boolean, found: string) {
    this.#options = options
    this.#isDue = isDue
    this.problem = found === '' ? null : sentence(found)
  }

  static async open(options: UncleanStopOptions): Promise<UncleanStop> {
    const { catalog } = options
    const { facts, events } = catalog.read
    const how = await facts.read(fact)
    // In a new one there is nothing to look at.
    const isDue = how === null ? (await events.newest()) !== null : how !== cleanly
    const found = (await facts.read(damage)) ?? ''
    await note('not yet', options)
    return new UncleanStop(options, isDue, found)
  }

  /** Begins the look, if there has to be one. */
  begin(): void {
    if (this.#isDue) this.#looking = this.#look()
  }

  async #look(): Promise<void> {
    const { catalog, path, log } = this.#options
    try {
      const found = await quickCheckAside(path, this.#closing.signal)
      this.problem = found === null ? null : sentence(found)
      if (this.problem === null) log.info('the catalog is sound after a stop that was not clean')
      else log.error(this.problem)
      await catalog.transaction(({ facts }) => facts.write(damage, found ?? ''))
      this.#isDue = found !== null
    } catch (error) {
      // The next start looks again.
      if (!this.#closing.signal.aborted) log.error({ err: error }, 'the catalog was not checked')
    }
  }

  /** Resolves when no look is under way. */
  async looked(): Promise<void> {
    await this.#looking
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#looking
    if (!this.#isDue) await note(cleanly, this.#options)
  }
}

/** A disk that is full keeps nobody from reading, nor from stopping. */
async function note(how: string, { catalog, log }: UncleanStopOptions): Promise<void> {
  try {
    await catalog.transaction(({ facts }) => facts.write(fact, how))
  } catch (error) {
    log.error({ err: error }, 'the catalog could not be told how the service stops')
  }
}

function sentence(found: string): string {
  return `the catalog is damaged (${found}); ${wayOut}`
}
