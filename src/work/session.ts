import type { PushSession } from '../catalog/push-sessions.ts'
import { Refusal } from '../errors.ts'
import type { Staging, Store } from '../store/store.ts'
import type { Chunk } from './receive.ts'
import type { Claim, Room } from './room.ts'
import { WriterLock } from './writer-lock.ts'

/** The push of one blob while this process has it in hand: its bytes, and who may write them. */
export class Session {
  readonly row: PushSession
  readonly lock: WriterLock
  /** When its being at work was last written down, in milliseconds since 1970. */
  keptAt = 0
  /** Somebody is ending it: nobody begins to write any more. */
  isEnding = false
  /** Its bytes' share of the room. */
  readonly #held: Claim
  readonly #store: Store
  #staging: Staging | null = null

  constructor(row: PushSession, store: Store, room: Room) {
    this.row = row
    // The time of day may be set while somebody writes.
    this.lock = new WriterLock(() => performance.now())
    this.#store = store
    this.#held = room.hold()
  }

  get isOpen(): boolean {
    return this.#staging !== null
  }

  /** Bytes that are there, as far as is known without opening anything. */
  get size(): number {
    return this.#staging?.size ?? this.#held.received
  }

  /** Takes up what is there, or begins. To be called by whoever holds the lock. */
  async open(): Promise<Staging> {
    const { id, algorithm } = this.row
    await this.takeUp()
    this.#staging ??= await this.#store.stage({ id, algorithm })
    return this.#staging
  }

  /** How many bytes are there, with what an earlier process left. To be called by whoever holds the lock. */
  async takeUp(): Promise<number> {
    const { id, algorithm } = this.row
    this.#staging ??= await this.#store.resume(id, { algorithm })
    this.#held.received = this.#staging?.size ?? 0
    return this.size
  }

  /**
   * A part has to begin where the bytes end.
   * @param before how many bytes there were when the request came and somebody else was writing, null when nobody was: a
   * stream does not say where it begins, so it must not be laid behind what another one brought meanwhile
   * @throws Refusal UPLOAD_OUT_OF_ORDER
   */
  checkStart({ start }: Pick<Chunk, 'start'>, before: number | null): void {
    if ((start ?? before ?? this.size) === this.size) return
    throw new Refusal(
      'UPLOAD_OUT_OF_ORDER',
      `this upload has ${this.size} bytes, and the next one must be number ${this.size}`,
    )
  }

  /** Brings all bytes to the disk. When that fails, what is durable is taken up again by the next request. */
  async flush(): Promise<void> {
    try {
      await this.#staging?.flush()
      this.#held.received = this.size
    } catch (error) {
      await this.leave()
      throw error
    }
  }

  /** Lets go of the bytes, which stay for the next who asks. */
  async leave(): Promise<void> {
    const staging = this.#staging
    this.#held.received = staging?.offset ?? this.#held.received
    this.#staging = null
    await staging?.leave()
  }

  /** It is over: its bytes are a blob's now, or nobody's. */
  end(): void {
    this.#held[Symbol.dispose]()
  }

  async discard(): Promise<void> {
    await this.leave()
    await this.#store.discard(this.row.id)
  }
}
