import Sqlite from 'better-sqlite3'
import { expect, test } from 'vitest'
import { Prepared } from '../../../src/catalog/prepared.ts'

test('a statement is prepared once, and those that are not asked for any more are let go', () => {
  const prepared = new Prepared(new Sqlite(':memory:'))
  const first = prepared.prepare('select 1')
  expect(prepared.prepare('select 1')).toBe(first)
  for (let count = 0; count < 1000; count += 1) prepared.prepare(`select ${count + 2}`)
  const again = prepared.prepare('select 1')
  expect(again).not.toBe(first)
  expect(again.pluck().get()).toBe(1)
  prepared.close()
})

test('a statement tells what is there after the schema has changed, too', () => {
  const database = new Sqlite(':memory:')
  const prepared = new Prepared(database)
  database.exec('create table things (a)')
  database.exec('insert into things values (1)')
  expect(prepared.prepare('select * from things').all()).toEqual([{ a: 1 }])
  database.exec('alter table things add column b default 2')
  expect(prepared.prepare('select * from things').all()).toEqual([{ a: 1, b: 2 }])
  prepared.close()
})
