import type Sqlite from 'better-sqlite3'
import { SqliteDialect, SqliteDriver, type DatabaseConnection } from 'kysely'

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
}

class OwnDriver extends SqliteDriver {
  readonly #database: Sqlite.Database

  constructor(database: Sqlite.Database) {
    super({ database })
    this.#database = database
  }

  /** On a full disk SQLite has rolled back by itself, and a second attempt would only hide why. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#database.inTransaction) await super.rollbackTransaction(connection)
  }
}
