import type { Catalog } from '../catalog/catalog.ts'
import type { PushSession } from '../catalog/push-sessions.ts'
import { Refusal } from '../errors.ts'
import type { Store } from '../store/store.ts'
import type { Room } from './room.ts'
import { Session } from './session.ts'
import type { Writing } from './writer-lock.ts'

export type SessionsOptions = {
  readonly catalog: Catalog
  readonly store: Store
  readonly room: Room
  readonly now: () => number
}

/** Sessions whose files stay open between requests. */
const mostOpen = 200
/** The longest that the files of a session take to be closed. */
const closedWithin = 60_000

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The pushes that this process has in hand: one object for each, so that all its requests meet at one lock. */
export class Sessions {
  readonly #options: SessionsOptions
  /** The last used stands last. */
  readonly #known = new Map<string, Session>()

  constructor(options: SessionsOptions) {
    this.#options = options
  }

  /** @throws Refusal BLOB_UPLOAD_UNKNOWN */
  async find(repository: string, id: string): Promise<Session> {
    const row = uuid.test(id) ? await this.#options.catalog.read.pushSessions.byId(id) : null
    if (row?.repository !== repository) throw unknown()
    const session = this.of(row)
    await this.#letGo()
    return session
  }

  of(row: PushSession): Session {
    const { store, room } = this.#options
    const session = this.#known.get(row.id) ?? new Session(row, store, room)
    this.#known.delete(row.id)
    this.#known.set(row.id, session)
    return session
  }

  /**
   * The right to write, once nobody else does.
   * @throws Refusal BLOB_UPLOAD_UNKNOWN when the session has ended meanwhile, TOO_MANY_REQUESTS
   */
  async enter(
    session: Session,
    signal: AbortSignal,
    purpose: 'write' | 'look' = 'write',
  ): Promise<Writing> {
    const writing = await session.lock.enter(signal, purpose)
    const isOver = session.isEnding && purpose === 'write'
    if (!isOver && this.#known.get(session.row.id) === session) return writing
    writing[Symbol.dispose]()
    throw unknown()
  }

  /** Does something while nobody writes. */
  async alone<Result>(
    session: Session,
    work: () => Promise<Result>,
    signal = AbortSignal.timeout(closedWithin),
  ): Promise<Result> {
    const writing = await this.enter(session, signal, 'look')
    writing.finish()
    try {
      return await work()
    } finally {
      writing[Symbol.dispose]()
    }
  }

  /** It has become a blob. Whoever waits for it finds that it is over. */
  end(session: Session): void {
    this.#known.delete(session.row.id)
    session.end()
  }

  /** Drops it with its bytes. To be called by whoever holds the lock. */
  async remove(session: Session): Promise<void> {
    const { id } = session.row
    await this.#options.catalog.transaction(({ pushSessions }) => pushSessions.remove(id))
    this.end(session)
    await session.discard()
  }

  /** Closes all files, once those who still write have let go. */
  async close(): Promise<void> {
    for (const session of this.#known.values()) session.lock.cut('shutdown')
    const all = [...this.#known.values()]
    const left = await Promise.allSettled(all.map((one) => this.alone(one, () => one.leave())))
    this.#known.clear()
    const failed = left.find((one) => one.status === 'rejected')
    if (failed) throw failed.reason
  }

  /** Files of the longest unused session are closed when too many are open. */
  async #letGo(): Promise<void> {
    const open = [...this.#known.values()].filter(({ isOpen }) => isOpen)
    const idle = open.length > mostOpen && open.find(({ lock }) => !lock.isHeld)
    if (idle) await this.alone(idle, () => idle.leave())
  }
}

export function unknown(): Refusal {
  return new Refusal(
    'BLOB_UPLOAD_UNKNOWN',
    'there is no such upload in this repository; it may have ended or been idle for a day',
  )
}
