import { expect, test } from 'vitest'
import type { Facts } from '../../../src/catalog/maintenance-runs.ts'
import { isDue } from '../../../src/work/due.ts'
import { openCatalog } from '../../support/catalog.ts'

const day = 86_400_000

async function afterRun(options: Facts, state: 'done' | 'failed') {
  const opened = await openCatalog()
  const { catalog, clock } = opened
  await catalog.transaction(async ({ maintenance }) => {
    await maintenance.add({ id: 'a', kind: 'gc', options })
    await maintenance.end('a', state)
  })
  const due = () => isDue('gc', day, catalog.read.maintenance, clock.now())
  return { ...opened, due }
}

test('a collection is due when there was none, and a day after the last whole one', async () => {
  await using opened = await afterRun({}, 'done')
  expect(await isDue('scrub', day, opened.catalog.read.maintenance, opened.clock.now())).toBe(true)
  expect(await opened.due()).toBe(false)
  opened.clock.advance(day - 1)
  expect(await opened.due()).toBe(false)
  opened.clock.advance(1)
  expect(await opened.due()).toBe(true)
})

test('one that failed or was dry does not count', async () => {
  await using failed = await afterRun({}, 'failed')
  expect(await failed.due()).toBe(true)
  await using dry = await afterRun({ dryRun: true }, 'done')
  expect(await dry.due()).toBe(true)
})
