import { Refusal } from '../../errors.ts'
import { Gate } from '../../work/gate.ts'

export type LaneOptions = {
  /** Works at the same time. */
  readonly places: number
  /** Works that may wait for that. */
  readonly waiting: number
  /** How long each may wait, in milliseconds. */
  readonly patience: number
}

/** Milliseconds. */
const comeAgainIn = 2000

/** Work by key, within bounds. What is wanted by many at once is done once. */
export class Lane<Value> {
  readonly #gate: Gate
  readonly #most: number
  readonly #patience: number
  readonly #running = new Map<string, Promise<Value>>()

  constructor({ places, waiting, patience }: LaneOptions) {
    this.#gate = new Gate(places)
    this.#most = places + waiting
    this.#patience = patience
  }

  /** @throws Refusal TOO_MANY_REQUESTS when too many wait, or its turn does not come; what the work throws */
  async run(key: string, work: () => Promise<Value>): Promise<Value> {
    const running = this.#running.get(key)
    if (running) return await running
    if (this.#running.size >= this.#most) throw busy()
    const begun = this.#inTurn(work)
    this.#running.set(key, begun)
    try {
      return await begun
    } finally {
      this.#running.delete(key)
    }
  }

  async #inTurn(work: () => Promise<Value>): Promise<Value> {
    using place = await this.#turn()
    void place
    return await work()
  }

  async #turn(): Promise<Disposable> {
    const late = AbortSignal.timeout(this.#patience)
    try {
      return await this.#gate.enter(late)
    } catch (error) {
      throw late.aborted ? busy() : error
    }
  }
}

function busy(): Refusal {
  return new Refusal('TOO_MANY_REQUESTS', 'too many credentials are being checked; try again', {
    retryAfter: comeAgainIn,
  })
}
