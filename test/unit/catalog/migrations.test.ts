import Sqlite from 'better-sqlite3'
import { Kysely, sql, SqliteDialect } from 'kysely'
import { expect, test } from 'vitest'
import { up as images } from '../../../migrations/0001-images.ts'
import { up as pushes } from '../../../migrations/0002-pushes.ts'
import { up as resume } from '../../../migrations/0003-resume.ts'
import { storedOf } from '../../support/catalog.ts'

test('images of an earlier version are found by the sha256 of their source', async () => {
  await using db = new Kysely<unknown>({
    dialect: new SqliteDialect({ database: new Sqlite(':memory:') }),
  })
  await images(db)
  await pushes(db)
  const stored = storedOf('disk')
  for (const [uid, text] of [
    ['ready', JSON.stringify(stored)],
    ['pending', null],
  ]) {
    await sql`insert into images
      (uid, name, generation, created_at, data_source, had_secrets, attempt, phase, ready_reason,
        ready_message, ready_since, source_reason, source_message, source_since, retries, stored)
      values (${uid}, ${uid}, 1, 1, '{}', 0, 1, 'Ready', '', '', 1, '', '', 1, 0, ${text})`.execute(
      db,
    )
  }
  await resume(db)
  const { rows } = await sql`select uid, source_sha256 from images order by uid`.execute(db)
  expect(rows).toEqual([
    { uid: 'pending', source_sha256: null },
    { uid: 'ready', source_sha256: stored.source.sha256 },
  ])
})
