import type { Journey } from './journeys.ts'
import { askEvery, type Claim, type Room } from './room.ts'

type Counted = {
  /** Bytes that were announced, null for none. */
  readonly size: number | null
  /** Bytes that are here already. */
  readonly before: number
  readonly onBytes: (count: number) => void
  /** Is told when bytes are waited for. */
  readonly journey: Journey
}

/** Counts bytes, and stops those that nobody announced when they become too many. */
export class Meter {
  readonly #incoming: Counted
  readonly #room: Room
  /** Told of the bytes when they are those that are written. */
  readonly #claim: Claim | null
  received = 0
  #asked = 0

  constructor(incoming: Counted, room: Room, claim: Claim | null) {
    this.#incoming = incoming
    this.#room = room
    this.#claim = claim
  }

  async *of(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    using fetching = this.#incoming.journey.enter('fetch')
    for await (const chunk of body) {
      fetching.leave()
      await this.count(chunk.length)
      yield chunk
      fetching.enter()
    }
    fetching.leave()
    await this.end()
  }

  /**
   * All bytes have come: the last of those that nobody announced may be the ones that do not fit.
   * @throws Outage STORAGE_FULL
   */
  async end(): Promise<void> {
    const isUnannounced = this.#claim !== null && this.#incoming.size === null
    if (isUnannounced && this.received > this.#asked) await this.#ask(this.#claim)
  }

  /**
   * @returns what has to be waited for before the bytes may be kept, null for nothing
   * @throws Refusal TOO_LARGE; the promise rejects with Outage STORAGE_FULL
   */
  count(bytes: number): Promise<void> | null {
    this.received += bytes
    this.#incoming.onBytes(bytes)
    this.#room.checkSize(this.#incoming.before + this.received)
    if (!this.#claim) return null
    this.#claim.received = this.received
    if (this.#incoming.size !== null || this.received - this.#asked < askEvery) return null
    return this.#ask(this.#claim)
  }

  #ask(own: Claim | null): Promise<void> {
    this.#asked = this.received
    return this.#room.check(0, own ? { own } : {})
  }
}
