import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { expect, test } from 'vitest'
import { Maintenance } from '../../../src/work/maintenance.ts'
import { openCatalog } from '../../support/catalog.ts'
import { log } from '../../support/health-bench.ts'
import { temporaryFolder } from '../../support/temporary.ts'

test('a run whose end cannot be written down has ended all the same, and is written down before the next', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'catalog.sqlite')
  await using opened = await openCatalog(undefined, path)
  const { catalog, clock } = opened
  using beside = new DisposableStack()
  const other = beside.adopt(new Sqlite(path), (database) => void database.close())
  const nothing = async () => {}
  const maintenance = new Maintenance({
    catalog,
    tasks: { gc: nothing, scrub: nothing },
    now: clock.now,
    log,
  })
  other.exec(
    "CREATE TRIGGER full BEFORE UPDATE ON maintenance_runs BEGIN SELECT RAISE(ABORT, 'full'); END",
  )
  const { id } = await maintenance.start('gc')
  await maintenance.finished('gc')
  expect((await catalog.read.maintenance.byId(id))?.state).toBe('running')
  const told = [
    await maintenance.byId(id),
    await maintenance.newest('gc'),
    (await maintenance.list(1))[0],
  ]
  expect(told.map((run) => run?.state)).toEqual(['done', 'done', 'done'])
  other.exec('DROP TRIGGER full')
  await maintenance.start('gc')
  expect((await catalog.read.maintenance.byId(id))?.state).toBe('done')
  await maintenance.stop()
})
