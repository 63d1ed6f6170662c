import { randomUUID } from 'node:crypto'
import type { Catalog } from '../catalog/catalog.ts'
import { Refusal } from '../errors.ts'
import { algorithmOf, type Digest, type DigestAlgorithm } from '../image/digest.ts'
import type { PushSession } from '../catalog/push-sessions.ts'
import type { Log } from '../log.ts'
import type { Stat, Store } from '../store/store.ts'
import type { Collector } from './collect.ts'
import { receive, type Chunk } from './receive.ts'
import { Receiving } from './receiving.ts'
import type { Room } from './room.ts'
import { Session } from './session.ts'
import { leaseFor, shelve } from './shelve.ts'
import type { Writing } from './writer-lock.ts'

export type PushOptions = {
  readonly catalog: Catalog
  readonly store: Store
  readonly room: Room
  readonly collector: Collector
  readonly now: () => number
  readonly log: Log
}

/** A session that nobody touches is removed: after a day, and after an hour when it has no byte. */
const idleFor = 24 * 3_600_000
const emptyIdleFor = 3_600_000
/** Sessions that may be under way, and those whose files stay open between requests. */
const mostSessions = 1000
const mostOpen = 200
/** How often work in progress is written down. */
const keepEvery = 60_000
/** How long the offset of an upload that is being written may take to come to rest. */
const restWithin = 1000
/** The longest that the files of a session take to be closed. */
const closedWithin = 60_000

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Blobs on their way in from clients: sessions whose offset survives broken connections and restarts. */
export class Pushes {
  readonly #options: PushOptions
  readonly #known = new Map<string, Session>()
  readonly #receiving = new Receiving()

  constructor(options: PushOptions) {
    this.#options = options
  }

  /** @returns the id of the session. @throws Refusal TOO_MANY_REQUESTS */
  async begin(repository: string, algorithm: DigestAlgorithm): Promise<string> {
    const row = { id: randomUUID(), repository, algorithm }
    await this.#options.catalog.transaction(async ({ pushSessions, leases }) => {
      if ((await pushSessions.count()) >= mostSessions) throw tooMany()
      await pushSessions.add(row)
      await leases.prolong(repository, leaseFor)
    })
    this.#session(row).keptAt = this.#options.now()
    return row.id
  }

  /** How many bytes of a session are here. While somebody writes, so many are at this moment. */
  async offset(repository: string, id: string, signal: AbortSignal): Promise<number> {
    const session = await this.#find(repository, id)
    await session.lock.settle(restWithin, signal)
    if (session.lock.isHeld) return session.size
    return await this.#alone(session, signal, () => session.takeUp())
  }

  /**
   * Adds a part at the end. What arrived before a connection breaks stays.
   * @returns how many bytes there are, all of them durable
   * @throws Refusal BLOB_UPLOAD_UNKNOWN, UPLOAD_OUT_OF_ORDER, SIZE_INVALID, TOO_LARGE; Outage PUSH_INTERRUPTED, STORAGE_FULL
   */
  async append(repository: string, id: string, chunk: Chunk, signal: AbortSignal): Promise<number> {
    const session = await this.#find(repository, id)
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
    const session = await this.#find(repository, id)
    using writing = await this.#begin(session, chunk, signal)
    if (chunk.size !== 0) await this.#take(session, chunk, writing)
    writing.finish()
    const blob = await this.#sealed(session, expected, writing.signal)
    try {
      await shelve(await session.open(), blob, session.row, this.#options)
    } finally {
      await session.leave()
    }
    this.#end(session)
    return blob
  }

  /** A whole blob in one request: nothing of it is left when it breaks off. */
  async whole(repository: string, expected: Digest, chunk: Chunk, signal: AbortSignal) {
    const { store, room } = this.#options
    await using staging = await store.stage({ algorithm: algorithmOf(expected) })
    await this.#receiving.run(signal, (until, heard) => receive(staging, chunk, room, heard, until))
    const blob = await staging.seal(signal)
    if (blob.digest !== expected) throw differs(blob, expected)
    await shelve(staging, blob, { id: staging.id, repository }, this.#options)
    return blob
  }

  /** Ends a session and drops its bytes, whoever is writing. */
  async cancel(repository: string, id: string, signal: AbortSignal): Promise<void> {
    const session = await this.#find(repository, id)
    session.lock.cut('deleted')
    await this.#alone(session, signal, () => this.#remove(session))
  }

  /** Removes the sessions that nobody has touched for too long. */
  async sweep(): Promise<void> {
    const { catalog, store } = this.#options
    const begun = new Set(await store.staged())
    const quiet = await catalog.read.pushSessions.idleFor(emptyIdleFor)
    for (const id of quiet.filter((one) => !begun.has(one))) await this.#expire(id, emptyIdleFor)
    for (const id of await catalog.read.pushSessions.idleFor(idleFor)) {
      await this.#expire(id, idleFor)
    }
  }

  /** The service is about to end: what moves may finish, but nobody is waited for who sends nothing. */
  drain(): void {
    this.#receiving.endSilent()
  }

  /** Lets go of all sessions; a later process takes them up. No request may be under way. */
  async close(): Promise<void> {
    this.#receiving[Symbol.dispose]()
    for (const session of this.#known.values()) await session.leave()
    this.#known.clear()
  }

  async #find(repository: string, id: string): Promise<Session> {
    const row = uuid.test(id) ? await this.#options.catalog.read.pushSessions.byId(id) : null
    if (row?.repository !== repository) throw unknown()
    const session = this.#session(row)
    await this.#letGo()
    return session
  }

  /** One object for each session, so that all requests meet at one lock; the last used stands last. */
  #session(row: PushSession): Session {
    const { store, room, now } = this.#options
    const session = this.#known.get(row.id) ?? new Session(row, store, room, now)
    this.#known.delete(row.id)
    this.#known.set(row.id, session)
    return session
  }

  /** Files of the longest unused session are closed when too many are open. */
  async #letGo(): Promise<void> {
    const open = [...this.#known.values()].filter(({ isOpen }) => isOpen)
    const idle = open.length > mostOpen && open.find(({ lock }) => !lock.isHeld)
    if (!idle) return
    await this.#alone(idle, AbortSignal.timeout(closedWithin), () => idle.leave())
  }

  async #enter(session: Session, signal: AbortSignal): Promise<Writing> {
    const writing = await session.lock.enter(signal)
    if (this.#known.get(session.row.id) === session) return writing
    writing[Symbol.dispose]()
    throw unknown()
  }

  /** Does something while nobody writes. */
  async #alone<Result>(session: Session, signal: AbortSignal, work: () => Promise<Result>) {
    const writing = await this.#enter(session, signal)
    writing.finish()
    try {
      return await work()
    } finally {
      writing[Symbol.dispose]()
    }
  }

  /** The right to write a part, if that is what comes next. */
  async #begin(session: Session, chunk: Chunk, signal: AbortSignal): Promise<Writing> {
    const before = session.lock.isHeld ? session.size : null
    // What is behind already can be told at once; what lies ahead may yet be reached.
    if ((chunk.start ?? Infinity) < (before ?? 0)) session.checkStart(chunk, before)
    using undo = new DisposableStack()
    const writing = undo.use(await this.#enter(session, signal))
    await session.takeUp()
    session.checkStart(chunk, before)
    undo.move()
    return writing
  }

  async #take(session: Session, chunk: Chunk, writing: Writing): Promise<void> {
    const { room, now } = this.#options
    const staging = await session.open()
    writing.finish()
    await staging.catchUp(writing.signal)
    let keeping = Promise.resolve()
    const heard = () => {
      writing.heard()
      if (now() - session.keptAt < keepEvery) return
      session.keptAt = now()
      keeping = this.#keep(session)
    }
    writing.heard()
    try {
      await this.#receiving.run(writing.signal, (until, stillThere) => {
        const both = () => {
          stillThere()
          heard()
        }
        return receive(staging, chunk, room, both, until)
      })
    } finally {
      writing.finish()
      await session.flush()
      await keeping
    }
  }

  async #sealed(session: Session, expected: Digest, signal: AbortSignal): Promise<Stat> {
    const staging = await session.open()
    const blob = await staging.seal(signal, algorithmOf(expected))
    if (blob.digest === expected) return blob
    await this.#remove(session)
    throw differs(blob, expected)
  }

  /** Its repository is being worked in, and the session is alive. */
  async #keep({ row }: Session): Promise<void> {
    try {
      await this.#options.catalog.transaction(async ({ pushSessions, leases }) => {
        await pushSessions.touch(row.id)
        await leases.prolong(row.repository, leaseFor)
      })
    } catch (error) {
      this.#options.log.error({ err: error, session: row.id }, 'a push could not be noted')
    }
  }

  async #remove(session: Session): Promise<void> {
    const { id } = session.row
    await this.#options.catalog.transaction(({ pushSessions }) => pushSessions.remove(id))
    this.#end(session)
    await session.discard()
  }

  async #expire(id: string, duration: number): Promise<void> {
    const { pushSessions } = this.#options.catalog.read
    const row = await pushSessions.byId(id)
    if (!row) return
    const session = this.#session(row)
    if (session.lock.isHeld) return await this.#keep(session)
    await this.#alone(session, AbortSignal.timeout(closedWithin), async () => {
      if ((await pushSessions.idleFor(duration)).includes(id)) await this.#remove(session)
    })
  }

  /** Whoever waits for it finds that it is over. */
  #end(session: Session): void {
    this.#known.delete(session.row.id)
    session.end()
  }
}

function differs({ digest }: Stat, expected: Digest): Refusal {
  return new Refusal('DIGEST_INVALID', `the bytes are ${digest}, expected ${expected}`)
}

function unknown(): Refusal {
  return new Refusal(
    'BLOB_UPLOAD_UNKNOWN',
    'there is no such upload in this repository; it may have ended or been idle for a day',
  )
}

function tooMany(): Refusal {
  return new Refusal(
    'TOO_MANY_REQUESTS',
    `${mostSessions} uploads are open already; finish or cancel some`,
    { retryAfter: 30_000 },
  )
}
