import Sqlite from 'better-sqlite3'
import { Kysely, sql } from 'kysely'
import { Migrator, type Migration } from 'kysely/migration'
import { expect, test } from 'vitest'
import { OwnDialect } from '../../../src/catalog/own-dialect.ts'

test('an upgrade of the schema that breaks off has changed nothing', async () => {
  const database = new Sqlite(':memory:')
  await using db = disposable(new Kysely<object>({ dialect: new OwnDialect(database) }))
  const create = (name: string) => sql`create table ${sql.id(name)} (a text)`
  const migrations: Record<string, Migration> = {
    '0001-one': { up: async (on) => void (await create('one').execute(on)) },
    '0002-two': {
      up: async (on) => {
        await create('two').execute(on)
        throw new Error('the power is gone')
      },
    },
  }
  const provider = { getMigrations: () => Promise.resolve(migrations) }
  const { error } = await new Migrator({ db: db.kysely, provider }).migrateToLatest()
  expect(error).toMatchObject({ message: 'the power is gone' })
  const tables = database.prepare(`select name from sqlite_master where name in ('one', 'two')`)
  expect(tables.all()).toEqual([])
})

function disposable(kysely: Kysely<object>) {
  return { kysely, [Symbol.asyncDispose]: () => kysely.destroy() }
}
