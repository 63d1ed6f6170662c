import { Refusal } from '../errors.ts'
import { assertOwn, outdateCopies, type Pair } from './store-identity.ts'

/** Whether the store still is that of the catalog which is served: settings of another service may name it, too. */
export class Ownership {
  readonly #pair: Pair
  /** Why it is not, as far as that is known; null when it is. */
  problem: string | null = null

  constructor(pair: Pair) {
    this.#pair = pair
  }

  /** Makes copies of the catalog older than it, so that none of them is ever taken for it. */
  async renew(): Promise<void> {
    await this.#noting(outdateCopies(this.#pair))
  }

  /**
   * Before a collection.
   * @throws Refusal when it is not
   */
  async assert(): Promise<void> {
    await this.#noting(assertOwn(this.#pair))
  }

  async #noting(look: Promise<void>): Promise<void> {
    try {
      await look
      this.problem = null
    } catch (cause) {
      if (!(cause instanceof Refusal)) throw cause
      const refusal = taken(this.#pair, cause)
      this.problem = refusal.message
      throw refusal
    }
  }
}

/** When this service began, they belonged together. */
function taken({ where }: Pair, cause: Refusal): Refusal {
  return new Refusal(
    'UNSUPPORTED',
    `another service has taken the images in ${where.store}, or they were emptied or put back, while this one runs; stop one of the two, and start this one again, which says what to do`,
    { cause },
  )
}
