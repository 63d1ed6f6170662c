import { open } from 'node:fs/promises'
import Sqlite from 'better-sqlite3'

const pageSize = 4096

/** Gives a closed catalog a table that nobody reads, and writes over a page of it: it opens as ever. */
export async function damageCatalog(path: string): Promise<void> {
  const database = new Sqlite(path)
  database.exec('create table padding (value text)')
  const insert = database.prepare('insert into padding values (?)')
  database.transaction(() => {
    for (let row = 0; row < 2000; row += 1) insert.run('x'.repeat(50))
  })()
  const page = database
    .prepare("select max(pageno) from dbstat where name = 'padding' and pagetype = 'leaf'")
    .pluck()
    .get()
  database.close()
  await using file = await open(path, 'r+')
  await file.write(Buffer.alloc(pageSize, 0xa5), 0, pageSize, (Number(page) - 1) * pageSize)
}
