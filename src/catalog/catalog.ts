import { EventEmitter } from 'node:events'
import Sqlite from 'better-sqlite3'
import { Kysely, sql } from 'kysely'
import type { Digest } from '../image/digest.ts'
import { Blobs } from './blobs.ts'
import { CatalogFacts } from './catalog-facts.ts'
import { Damages } from './damages.ts'
import { DueTimes } from './due-times.ts'
import { Events, type Happening } from './events.ts'
import { Holdings } from './holdings.ts'
import { Images } from './images.ts'
import { Jobs } from './jobs.ts'
import { Manifests } from './manifests.ts'
import { Leases } from './leases.ts'
import { MaintenanceRuns } from './maintenance-runs.ts'
import { assertLogWhole } from './log-check.ts'
import { reserveLog } from './log-reserve.ts'
import { migrate } from './migrations.ts'
import { Notepad, type Requester } from './notepad.ts'
import { Notices, type Wanting, type Written } from './notices.ts'
import { OwnDialect } from './own-dialect.ts'
import { PushSessions } from './push-sessions.ts'
import { RecordDebts } from './record-debts.ts'
import { Referrers } from './referrers.ts'
import { Restoration } from './restoration.ts'
import type { Schema } from './schema.ts'
import { unlessDamaged } from './soundness.ts'
import { Totals } from './totals.ts'
import { Uploads } from './uploads.ts'
import { Traces } from './traces.ts'
import { WalSync } from './wal-sync.ts'

/** The tables, all seen through one connection or one transaction. */
export type Tables = {
  readonly images: Images
  readonly blobs: Blobs
  readonly damages: Damages
  readonly leases: Leases
  readonly holdings: Holdings
  readonly manifests: Manifests
  readonly referrers: Referrers
  readonly pushSessions: PushSessions
  readonly uploads: Uploads
  readonly jobs: Jobs
  readonly events: Events
  readonly maintenance: MaintenanceRuns
  readonly facts: CatalogFacts
  readonly recordDebts: RecordDebts
  readonly totals: Totals
  readonly restoration: Restoration
  readonly notices: Notices
  readonly dueTimes: DueTimes
}

export type CatalogOptions = {
  /** A file, or `:memory:`. */
  readonly path: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Whether nearly all pages are about to be written, and nobody else waits. */
  readonly bulk?: boolean
}

/**
 * What we know: an index over the store and a ledger of work. What `transaction` resolves with is on the disk and
 * survives a power cut; a transaction that throws has changed nothing, unless the disk has failed to sync it: then
 * it may have, and nothing is promised of it or of any other before what is in doubt is on the disk.
 */
export class Catalog implements AsyncDisposable {
  readonly #db: Kysely<Schema>
  readonly #wal: WalSync | null
  readonly #traces: Traces
  readonly #now: () => number
  readonly #changes = new EventEmitter().setMaxListeners(0)
  #newestEvent = 0
  /** Null where nobody wants to be told anything. */
  #wanting: Wanting | null = null
  readonly #unseen = new Map<string, number>()
  /** For reading; everything that writes does so in a transaction. */
  readonly read: Tables

  private constructor(
    db: Kysely<Schema>,
    now: () => number,
    { wal, traces }: { wal: WalSync | null; traces: Traces },
  ) {
    this.#db = db
    this.#wal = wal
    this.#traces = traces
    this.#now = now
    this.read = tablesOver(db, now, new Changes(null, this.#unseen))
  }

  /** @throws Refusal when the catalog is damaged, or a newer program has written it */
  static async open(options: CatalogOptions): Promise<Catalog> {
    try {
      return await Catalog.#open(options)
    } catch (error) {
      throw unlessDamaged(error, options.path)
    }
  }

  static async #open({ path, now, bulk = false }: CatalogOptions): Promise<Catalog> {
    const database = new Sqlite(path)
    const db = new Kysely<Schema>({ dialect: new OwnDialect(database) })
    try {
      database.pragma('journal_mode = WAL')
      // Commits are synced below: by SQLite itself each of them would hold up everything else.
      database.pragma('synchronous = NORMAL')
      database.pragma('busy_timeout = 5000')
      database.pragma('secure_delete = ON')
      if (bulk) prepareForBulk(database)
      await migrate(db)
      const traces = new Traces(database, db, () => {
        if (path !== ':memory:') reserveLog(path)
      })
      await traces.clear()
      const empty = () => traces.empty(() => assertLogWhole(database, path))
      const wal = path === ':memory:' ? null : await WalSync.open(path, empty)
      const catalog = new Catalog(db, now, { wal, traces })
      catalog.#newestEvent = (await catalog.read.events.newest()) ?? 0
      return catalog
    } catch (error) {
      await db.destroy()
      database.close()
      throw error
    }
  }

  /** @param by who has asked for it, null for nobody */
  async transaction<Result>(
    work: (tables: Tables) => Promise<Result>,
    by: Requester | null = null,
  ): Promise<Result> {
    const wanting = this.#wanting
    const changes = new Changes(wanting && new Notepad(by), this.#unseen)
    const result = await this.#db.transaction().execute(async (db) => {
      const tables = tablesOver(db, this.#now, changes)
      const result = await work(tables)
      const { notes } = changes.notepad ?? { notes: [] }
      if (wanting && notes.length > 0) changes.written = await tables.notices.write(notes, wanting)
      return result
    })
    try {
      await this.#wal?.sync()
      if (changes.erased) await this.#traces.clear()
    } finally {
      this.#announce(changes)
    }
    return result
  }

  #announce(changes: Changes): void {
    const { events } = changes
    this.#newestEvent = Math.max(this.#newestEvent, ...events.map(({ seq }) => seq))
    if (events.length > 0) this.#changes.emit(happenings, events)
    for (const name of new Set(events.map(({ name }) => name))) this.#changes.emit(topic(name))
    for (const name of changes.repositories) this.#changes.emit(repositories, name)
    for (const digest of changes.mended) this.#changes.emit(mended, digest)
    if (changes.written) this.#changes.emit(written, changes.written)
  }

  /** Calls back after each committed change of the image of that name, until the returned function is called. */
  watch(name: string, changed: () => void): () => void {
    this.#changes.on(topic(name), changed)
    return () => this.#changes.off(topic(name), changed)
  }

  /** The sequence of the newest event that is committed for good; 0 when nothing ever happened. */
  get newestEvent(): number {
    return this.#newestEvent
  }

  /** Calls back with what each committed transaction made happen, until the returned function is called. */
  watchEvents(happened: (events: readonly Happening[]) => void): () => void {
    this.#changes.on(happenings, happened)
    return () => this.#changes.off(happenings, happened)
  }

  /** Calls back with the name of a repository after each committed change of its manifests or tags. */
  watchRepositories(changed: (repository: string) => void): void {
    this.#changes.on(repositories, changed)
  }

  /** From now on what others want to be told is written down with what makes it happen. */
  noteFor(wanting: Wanting): void {
    this.#wanting = wanting
  }

  /** Calls back with what each committed transaction has written down for others. */
  watchNotices(changed: (written: Written) => void): void {
    this.#changes.on(written, changed)
  }

  /** Calls back with the digest of each damaged blob whose bytes have come in again, once that is committed. */
  watchMended(changed: (digest: Digest) => void): void {
    this.#changes.on(mended, changed)
  }

  /** Erased secrets leave the files with the commit, unless something is in the way: then with a later call of this. */
  async finishErasing(): Promise<void> {
    await this.#traces.finish()
  }

  /** Writes a row as it is. Throws when the catalog cannot be written. */
  async probe(): Promise<void> {
    await sql`update kysely_migration_lock set is_locked = is_locked`.execute(this.#db)
    await this.#wal?.sync()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#wal?.[Symbol.asyncDispose]()
    } finally {
      await this.#db.destroy()
    }
  }
}

/**
 * Digests come in no order, so that each row is in another page: 128 MiB of them stay in memory, and are brought from the log
 * to the database when it has 64 MiB instead of 4.
 */
function prepareForBulk(database: Sqlite.Database): void {
  database.pragma('cache_size = -131072')
  database.pragma('wal_autocheckpoint = 16384')
}

/** What one transaction has changed, and whether it has erased secrets. */
class Changes {
  readonly events: Happening[] = []
  readonly repositories = new Set<string>()
  readonly mended = new Set<Digest>()
  readonly notepad: Notepad | null
  /** As in `Notices`. */
  readonly unseen: Map<string, number>
  written: Written | null = null
  erased = false

  constructor(notepad: Notepad | null, unseen: Map<string, number>) {
    this.notepad = notepad
    this.unseen = unseen
  }
}

function tablesOver(db: Kysely<Schema>, now: () => number, changes: Changes): Tables {
  const events = new Events(db, now, changes.events)
  return {
    images: new Images(db, events, now, {
      erased: () => {
        changes.erased = true
      },
      notepad: changes.notepad,
    }),
    blobs: new Blobs(db, now),
    damages: new Damages(db, changes),
    leases: new Leases(db, now),
    holdings: new Holdings(db, now),
    manifests: new Manifests(db, now, changes),
    referrers: new Referrers(db),
    pushSessions: new PushSessions(db, now),
    uploads: new Uploads(db),
    jobs: new Jobs(db, now),
    events,
    maintenance: new MaintenanceRuns(db, now),
    facts: new CatalogFacts(db),
    recordDebts: new RecordDebts(db),
    totals: new Totals(db),
    restoration: new Restoration(db, now),
    notices: new Notices(db, now, changes.unseen),
    dueTimes: new DueTimes(db),
  }
}

const repositories = 'repositories'
const happenings = 'happenings'
const mended = 'mended'
const written = 'written'

/** An emitter treats an event called `error` in a way of its own, and an image may be called so. */
function topic(name: string): string {
  return `image ${name}`
}
