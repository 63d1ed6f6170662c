import type Sqlite from 'better-sqlite3'
import { SqliteAdapter, SqliteDialect, SqliteDriver, type DatabaseConnection } from 'kysely'
import { Prepared } from './prepared.ts'

/** SQLite as Kysely speaks it, with failures that tell what failed. */
export class OwnDialect extends SqliteDialect {
  readonly #database: Sqlite.Database

  constructor(database: Sqlite.Database) {
    super({ database })
    this.#database = database
  }

  override createDriver(): SqliteDriver {
    return new OwnDriver(this.#database)
  }

  override createAdapter(): SqliteAdapter {
    return new OwnAdapter()
  }
}

/** SQLite takes changes of the schema back with all else, so an upgrade that breaks off has changed nothing. */
class OwnAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

class OwnDriver extends SqliteDriver {
  readonly #database: Sqlite.Database

  constructor(database: Sqlite.Database) {
    super({ database: new Prepared(database) })
    this.#database = database
  }

  /** On a full disk SQLite has rolled back by itself, and a second attempt would only hide why. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#database.inTransaction) await super.rollbackTransaction(connection)
  }
}
