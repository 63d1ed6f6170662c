import type { Claim, Room } from './room.ts'

type Counted = {
  /** Bytes that were announced, null for none. */
  readonly size: number | null
  readonly onBytes: (count: number) => void
}

/** How often bytes of unknown length are held against the room that is left. */
const askEvery = 64 * 1024 * 1024

/** Counts bytes, and stops those that nobody announced when they become too many. */
export class Meter {
  readonly #incoming: Counted
  readonly #room: Room
  /** Told of the bytes when they are those that are written. */
  readonly #claim: Claim | null
  received = 0

  constructor(incoming: Counted, room: Room, claim: Claim | null) {
    this.#incoming = incoming
    this.#room = room
    this.#claim = claim
  }

  async *of(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    let asked = 0
    for await (const chunk of body) {
      this.received += chunk.length
      this.#incoming.onBytes(chunk.length)
      this.#room.checkSize(this.received)
      if (this.#claim) this.#claim.received = this.received
      if (this.#claim && this.#incoming.size === null && this.received - asked >= askEvery) {
        asked = this.received
        await this.#room.check(0, this.#claim)
      }
      yield chunk
    }
  }
}
