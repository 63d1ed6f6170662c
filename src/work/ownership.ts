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
   * Before anything is removed for good.
   * @throws Refusal when it is not
   */
  async assert(): Promise<void> {
    await this.#noting(assertOwn(this.#pair))
  }

  async #noting(look: Promise<void>): Promise<void> {
    try {
      await look
      this.problem = null
    } catch (error) {
      if (error instanceof Refusal) this.problem = error.message
      throw error
    }
  }
}
