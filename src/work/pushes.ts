import { randomUUID } from 'node:crypto'
import { Refusal } from '../errors.ts'
import { algorithmOf, type Digest, type DigestAlgorithm } from '../image/digest.ts'
import type { Log } from '../log.ts'
import type { Staging, Stat } from '../store/store.ts'
import type { Collector } from './collect.ts'
import { receive, type Chunk } from './receive.ts'
import { Receiving } from './receiving.ts'
import type { Session } from './session.ts'
import { Sessions, unknown, type SessionsOptions } from './sessions.ts'
import { leaseFor, shelve, shelveMoved } from './shelve.ts'
import type { Writing } from './writer-lock.ts'

export type PushOptions = SessionsOptions & {
  readonly collector: Collector
  readonly log: Log
}

/** A session that nobody touches is removed after a day. */
const idleFor = 24 * 3_600_000
/** Sessions that may be under way; when they are so many, those go that have no byte after an hour. */
const mostSessions = 1000
/** So many may be one repository's, which leaves room for others. */
const mostHere = 250
const emptyIdleFor = 3_600_000
/** How often work in progress is written down. */
const keepEvery = 60_000
/** How long the offset of an upload that is being written may take to come to rest. */
const restWithin = 1000

/** What is noted of a push that is under way. */
type Push = { readonly row: { readonly id: string; readonly repository: string }; keptAt: number }

/** Blobs on their way in from clients: sessions whose offset survives broken connections and restarts. */
export class Pushes {
  readonly #options: PushOptions
  readonly #sessions: Sessions
  readonly #receiving = new Receiving()
  /** Ids of what is staged without a session. */
  readonly #whole = new Set<string>()

  constructor(options: PushOptions) {
    this.#options = options
    this.#sessions = new Sessions(options)
  }

  /** @returns the id of the session. @throws Refusal TOO_MANY_REQUESTS */
  async begin(repository: string, algorithm: DigestAlgorithm): Promise<string> {
    const row = { id: randomUUID(), repository, algorithm }
    const { pushSessions } = this.#options.catalog.read
    if ((await pushSessions.count()) >= mostSessions) await this.#dropEmpty()
    await this.#options.catalog.transaction(async ({ pushSessions, leases }) => {
      if ((await pushSessions.count()) >= mostSessions) throw tooMany(mostSessions)
      if ((await pushSessions.count(repository)) >= mostHere) throw tooMany(mostHere)
      await pushSessions.add(row)
      await leases.prolong(repository, leaseFor)
    })
    this.#sessions.of(row).keptAt = this.#options.now()
    return row.id
  }

  /** How many bytes of a session are here. While somebody writes, so many are at this moment. */
  async offset(repository: string, id: string, signal: AbortSignal): Promise<number> {
    const session = await this.#sessions.find(repository, id)
    await session.lock.settle(restWithin, signal)
    if (session.lock.isHeld) return session.size
    return await this.#sessions.alone(session, () => this.#takeUp(session), signal)
  }

  /**
   * Adds a part at the end. What arrived before a connection breaks stays.
   * @returns how many bytes there are, all of them durable
   * @throws Refusal BLOB_UPLOAD_UNKNOWN, UPLOAD_OUT_OF_ORDER, SIZE_INVALID, TOO_LARGE; Outage PUSH_INTERRUPTED, STORAGE_FULL
   */
  async append(repository: string, id: string, chunk: Chunk, signal: AbortSignal): Promise<number> {
    const session = await this.#sessions.find(repository, id)
    using writing = await this.#begin(session, chunk, signal)
    await this.#take(session, chunk, writing)
    return session.size
  }

  /**
   * Makes a session's bytes, with a last part or without, a blob of the repository. A session whose bytes are not what was
   * expected is gone afterwards.
   * @throws Refusal DIGEST_INVALID, and what `append` throws
   */
  async finish(
    repository: string,
    id: string,
    expected: Digest,
    chunk: Chunk,
    signal: AbortSignal,
  ): Promise<Stat> {
    const session = await this.#sessions.find(repository, id)
    using writing = await this.#begin(session, chunk, signal)
    if (chunk.size !== 0) await this.#take(session, chunk, writing)
    writing.finish()
    const blob = await this.#sealed(session, expected, writing.signal)
    try {
      await shelve(await session.open(), blob, session.row, this.#options)
    } finally {
      await session.leave()
    }
    this.#sessions.end(session)
    return blob
  }

  /** A whole blob in one request: nothing of it is left when it breaks off. */
  async whole(repository: string, expected: Digest, chunk: Chunk, signal: AbortSignal) {
    const { store } = this.#options
    await using staging = await store.stage({ algorithm: algorithmOf(expected), size: chunk.size })
    using undo = new DisposableStack()
    undo.defer(() => this.#whole.delete(staging.id))
    this.#whole.add(staging.id)
    const push = { row: { id: staging.id, repository }, keptAt: this.#options.now() }
    await this.#receive(staging, chunk, push, () => {}, signal)
    const blob = await staging.seal(signal)
    if (blob.digest !== expected) throw differs(blob, expected)
    await shelve(staging, blob, { id: staging.id, repository }, this.#options)
    return blob
  }

  /** Whether a request without a session is bringing these bytes. */
  isTaking(id: string): boolean {
    return this.#whole.has(id)
  }

  /** Finds out how much room the pushes take that an earlier process left. */
  async takeStock(): Promise<void> {
    for (const row of await this.#options.catalog.read.pushSessions.all()) {
      const session = this.#sessions.of(row)
      await this.#sessions.alone(session, async () => {
        await session.takeUp()
        await session.leave()
      })
    }
  }

  /** Ends a session and drops its bytes, whoever is writing. */
  async cancel(repository: string, id: string, signal: AbortSignal): Promise<void> {
    const session = await this.#sessions.find(repository, id)
    session.isEnding = true
    session.lock.cut('deleted')
    try {
      await this.#sessions.alone(session, () => this.#sessions.remove(session), signal)
    } finally {
      session.isEnding = false
    }
  }

  /** Removes the sessions that nobody has touched for too long. */
  async sweep(): Promise<void> {
    const { pushSessions } = this.#options.catalog.read
    for (const id of await pushSessions.idleFor(idleFor)) await this.#expire(id, idleFor)
  }

  /** The service is about to end: what moves may finish, but nobody is waited for who sends nothing. */
  drain(): void {
    this.#receiving.endSilent()
  }

  /** Lets go of all sessions; a later process takes them up. */
  async close(): Promise<void> {
    this.#receiving[Symbol.dispose]()
    await this.#sessions.close()
  }

  /** The right to write a part, if that is what comes next. */
  async #begin(session: Session, chunk: Chunk, signal: AbortSignal): Promise<Writing> {
    const before = session.lock.isWritten ? session.size : null
    // What is behind already can be told at once; what lies ahead may yet be reached.
    if ((chunk.start ?? Infinity) < (before ?? 0)) session.checkStart(chunk, before)
    using undo = new DisposableStack()
    const writing = undo.use(await this.#sessions.enter(session, signal))
    await this.#takeUp(session)
    session.checkStart(chunk, before)
    undo.move()
    return writing
  }

  /** Bytes that have become a blob are no longer the session's, even where that could not be noted at the time. */
  async #takeUp(session: Session): Promise<number> {
    const size = await session.takeUp()
    if (size > 0 || !(await shelveMoved(session.row.id, this.#options))) return size
    this.#sessions.end(session)
    throw unknown()
  }

  async #take(session: Session, chunk: Chunk, writing: Writing): Promise<void> {
    const staging = await session.open()
    writing.finish()
    await staging.catchUp(writing.signal)
    writing.heard()
    try {
      await this.#receive(staging, chunk, session, () => writing.heard(), writing.signal)
    } finally {
      writing.finish()
      await session.flush()
    }
  }

  /** Takes a body in, and notes now and then that somebody is at work. */
  async #receive(
    staging: Staging,
    chunk: Chunk,
    push: Push,
    heard: () => void,
    signal: AbortSignal,
  ): Promise<void> {
    let keeping = Promise.resolve()
    try {
      await this.#receiving.run(signal, (until, stillThere) => {
        const all = () => {
          stillThere()
          heard()
          keeping = this.#keepNowAndThen(push) ?? keeping
        }
        return receive(staging, chunk, this.#options.room, all, until)
      })
    } finally {
      await keeping
    }
  }

  async #sealed(session: Session, expected: Digest, signal: AbortSignal): Promise<Stat> {
    const staging = await session.open()
    const blob = await staging.seal(signal, algorithmOf(expected))
    if (blob.digest === expected) return blob
    await this.#sessions.remove(session)
    throw differs(blob, expected)
  }

  #keepNowAndThen(push: Push): Promise<void> | null {
    const now = this.#options.now()
    if (now - push.keptAt < keepEvery) return null
    push.keptAt = now
    return this.#keep(push)
  }

  /** Its repository is being worked in, and the session is alive. */
  async #keep({ row }: Pick<Push, 'row'>): Promise<void> {
    try {
      await this.#options.catalog.transaction(async ({ pushSessions, leases }) => {
        await pushSessions.touch(row.id)
        await leases.prolong(row.repository, leaseFor)
      })
    } catch (error) {
      this.#options.log.error({ err: error, session: row.id }, 'a push could not be noted')
    }
  }

  /** Clients that were given up leave places that cost nobody a byte. */
  async #dropEmpty(): Promise<void> {
    const { catalog, store } = this.#options
    const begun = new Set(await store.staged())
    for (const id of await catalog.read.pushSessions.idleFor(emptyIdleFor)) {
      if (!begun.has(id)) await this.#expire(id, emptyIdleFor)
    }
  }

  async #expire(id: string, duration: number): Promise<void> {
    const { pushSessions } = this.#options.catalog.read
    const row = await pushSessions.byId(id)
    if (!row) return
    const session = this.#sessions.of(row)
    if (session.lock.isHeld) return await this.#keep(session)
    await this.#sessions.alone(session, async () => {
      if ((await pushSessions.idleFor(duration)).includes(id)) await this.#sessions.remove(session)
    })
  }
}

function differs({ digest }: Stat, expected: Digest): Refusal {
  return new Refusal('DIGEST_INVALID', `the bytes are ${digest}, expected ${expected}`)
}

function tooMany(count: number): Refusal {
  return new Refusal(
    'TOO_MANY_REQUESTS',
    `${count} uploads are open already; finish or cancel some`,
    { retryAfter: 30_000 },
  )
}
