import Sqlite from 'better-sqlite3'
import { Refusal } from '../errors.ts'

/**
 * Holds a folder for this process.
 * @throws Refusal FOLDER_IN_USE when another process holds it
 */
export function lockFolder(folder: string): Disposable {
  return lockFile(`${folder}/lock`, (cause) => {
    return new Refusal(
      'FOLDER_IN_USE',
      `another Slipway is running on ${folder}; stop it first, or set SLIPWAY_DATA_DIR to another folder`,
      { cause },
    )
  })
}

/**
 * A lock of the operating system on a file, which is created, taken through SQLite because Node has no call for it. It ends
 * with the process, however that ends.
 * @throws what `inUse` makes, when another process holds it
 */
export function lockFile(path: string, inUse: (cause: Error) => Refusal): Disposable {
  const database = new Sqlite(path, { timeout: 0 })
  try {
    database.exec('begin exclusive')
  } catch (cause) {
    database.close()
    if (!(cause instanceof Sqlite.SqliteError) || cause.code !== 'SQLITE_BUSY') throw cause
    throw inUse(cause)
  }
  return { [Symbol.dispose]: () => void database.close() }
}
