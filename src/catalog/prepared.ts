import type Sqlite from 'better-sqlite3'

/** The catalog's own statements are fewer; those with lists of values have a text for each length. */
const mostKept = 500

/**
 * Statements by their text, each prepared once: to prepare one takes longer than to run it, as a rule. Whatever is run is
 * over when the call returns, so that one statement is never in two hands.
 */
export class Prepared {
  readonly #database: Sqlite.Database
  readonly #kept = new Map<string, Sqlite.Statement>()

  constructor(database: Sqlite.Database) {
    this.#database = database
  }

  prepare(text: string): Sqlite.Statement {
    const known = this.#kept.get(text)
    if (known) return known
    const statement = this.#database.prepare(text)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size === mostKept && oldest !== undefined) this.#kept.delete(oldest)
    this.#kept.set(text, statement)
    return statement
  }

  close(): void {
    this.#database.close()
  }
}
