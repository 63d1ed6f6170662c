import type Sqlite from 'better-sqlite3'
import type { Kysely } from 'kysely'
import { z } from 'zod'
import { Outage } from '../errors.ts'
import type { Schema } from './schema.ts'

/**
 * Takes what was erased out of the files, too. With `secure_delete` SQLite overwrites it in its pages, but the write-ahead
 * log still holds the pages of earlier commits: everything in it is brought to the database, and the log is cut to nothing.
 */
export class Traces {
  readonly #database: Sqlite.Database
  readonly #db: Kysely<Schema>
  readonly #afterCut: () => void
  /** A crash may have left some. */
  #isDue = true

  /** @param afterCut called when the log is empty, before anything is written to it again */
  constructor(database: Sqlite.Database, db: Kysely<Schema>, afterCut: () => void = () => {}) {
    this.#database = database
    this.#db = db
    this.#afterCut = afterCut
  }

  /**
   * To be called after the commit. Whoever reads the catalog beside this program holds it up, and so does a disk that is
   * full; then it stays due.
   */
  async clear(): Promise<void> {
    this.#isDue = true
    try {
      await this.finish()
    } catch {
      // `finish` is called again, and tells whoever calls it then.
    }
  }

  /** What is still due. Throws when the disk fails or is full. */
  async finish(): Promise<void> {
    if (!this.#isDue) return
    this.#isDue = await this.#db.connection().execute(async () => !this.#cut())
  }

  /**
   * Brings everything in the log to the database, and syncs that.
   * @param check whether the log may be read; throws otherwise
   * @throws Outage when somebody who reads the catalog holds it up
   */
  async empty(check: () => void): Promise<void> {
    const isEmpty = await this.#db.connection().execute(async () => {
      check()
      return this.#cut()
    })
    if (isEmpty) return
    throw new Outage(
      'STORAGE_UNAVAILABLE',
      'the disk has failed to keep the newest entries of the catalog, and they cannot be written anew while another program reads it; try again',
    )
  }

  /** Nobody is waited for: this thread answers everybody. */
  #cut(): boolean {
    const [{ timeout } = { timeout: 0 }] = timeoutRows.parse(this.#database.pragma('busy_timeout'))
    this.#database.pragma('busy_timeout = 0')
    try {
      const [row] = cutRows.parse(this.#database.pragma('wal_checkpoint(TRUNCATE)'))
      if (row?.busy === 0) this.#afterCut()
      return row?.busy === 0
    } finally {
      this.#database.pragma(`busy_timeout = ${timeout}`)
    }
  }
}

const timeoutRows = z.array(z.object({ timeout: z.number() }))
const cutRows = z.array(z.object({ busy: z.number() }))
