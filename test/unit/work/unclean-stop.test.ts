import { join } from 'node:path'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { Catalog } from '../../../src/catalog/catalog.ts'
import { UncleanStop } from '../../../src/work/unclean-stop.ts'
import { newImage } from '../../support/catalog.ts'
import { damageCatalog } from '../../support/damaged-catalog.ts'
import { temporaryFolder } from '../../support/temporary.ts'

/** One life of a process that ends with the scope of what it returns. */
async function live(path: string) {
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
  const catalog = await Catalog.open({ path, now: Date.now })
  const soundness = await UncleanStop.open({ catalog, path, log })
  return {
    catalog,
    soundness,
    lines,
    /** Resolves when the look is over, if there is one. */
    async look() {
      soundness.begin()
      await soundness.looked()
    },
    /** As a crash ends it. */
    crash: () => catalog[Symbol.asyncDispose](),
    async stop() {
      await soundness[Symbol.asyncDispose]()
      await catalog[Symbol.asyncDispose]()
    },
  }
}

test('a catalog is looked through after a crash, and not after a clean stop', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'catalog.sqlite')
  const first = await live(path)
  await first.catalog.transaction(({ images }) => images.add(newImage('a')))
  await first.look()
  expect(first.lines).toEqual([])
  await first.crash()
  const second = await live(path)
  await second.look()
  expect(second.lines).toEqual([expect.stringContaining('the catalog is sound')])
  expect(second.soundness.problem).toBeNull()
  await second.stop()
  const third = await live(path)
  await third.look()
  expect(third.lines).toEqual([])
  await third.stop()
})

test('a look that was cut short is due again', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'catalog.sqlite')
  const first = await live(path)
  await first.catalog.transaction(({ images }) => images.add(newImage('a')))
  await first.crash()
  const second = await live(path)
  second.soundness.begin()
  await second.stop()
  expect(second.lines).toEqual([])
  const third = await live(path)
  await third.look()
  expect(third.lines).toHaveLength(1)
  await third.stop()
})

test('damage is told, and told again at the next start', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'catalog.sqlite')
  const first = await live(path)
  await first.catalog.transaction(({ images }) => images.add(newImage('a')))
  await first.crash()
  await damageCatalog(path)
  const second = await live(path)
  expect(second.soundness.problem).toBeNull()
  await second.look()
  expect(second.soundness.problem).toMatch(/the catalog is damaged \(.+\); .+slipway rebuild/)
  expect(second.lines).toEqual([expect.stringContaining('"level":50')])
  await second.stop()
  const third = await live(path)
  expect(third.soundness.problem).toMatch(/damaged/)
  await third.stop()
})
