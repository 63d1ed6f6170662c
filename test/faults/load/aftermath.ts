import { expect } from 'vitest'
import { runsSchema } from '../../../src/serve/api/storage-schema.ts'
import { expectNothing } from '../../support/leftovers.ts'
import { age } from '../../support/model-store.ts'
import { collectAll, failedRuns } from '../../support/model-upkeep.ts'
import type { Service } from '../../support/service.ts'
import type { Line } from './line.ts'
import { Scrape } from './process.ts'

/** Until all that clients have left open is closed, in milliseconds. */
const quietWithin = 60_000

/** What is looked at in the end, and what the line that looks comes to. */
const levels: readonly (readonly [name: string, usual: number])[] = [
  ['slipway_http_connections', 1],
  ['slipway_http_requests_in_flight', 1],
  ['slipway_event_streams', 0],
  ['slipway_pushes_active', 0],
  ['slipway_uploads_active', 0],
  ['slipway_imports_running', 0],
  ['slipway_import_queue_depth', 0],
  ['slipway_import_backoff_depth', 0],
  ['slipway_image_phase', 0],
  ['slipway_manifests', 0],
]

/** When all that is kept for a time alone is over. */
export async function leavesNothing(service: Service): Promise<void> {
  expect(await failedRuns(service)).toEqual([])
  await service.stop()
  await age(service.folder, service.folder)
  await service.start()
  await collectAll(service)
  await service.stop()
  await expectNothing(service.folder)
}

/** Resolves when nothing is under way beside the line that asks. */
export async function becomesQuiet(line: Line): Promise<void> {
  await expect.poll(() => underWay(line), { timeout: quietWithin, interval: 200 }).toEqual([])
}

/** A whole collection. */
export async function collect(line: Line): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  await expect.poll(async () => await newest(line), { timeout: quietWithin }).not.toBe('running')
  await line.ask('/api/v1/storage/gc', [202], { method: 'POST', headers, body: '{}' })
  await expect.poll(async () => await newest(line), { timeout: quietWithin }).toBe('done')
}

/** The state of the run that began last. */
async function newest(line: Line): Promise<string | undefined> {
  const { body } = await line.ask('/api/v1/storage/runs', [200])
  return runsSchema.parse(JSON.parse(body.toString())).items[0]?.state
}

/** What has not come to its end, beside the line that asks. */
async function underWay(line: Line): Promise<readonly string[]> {
  const scrape = await Scrape.by(line)
  return levels
    .map(([name, usual]) => ({ name, usual, found: scrape.sum(name) }))
    .filter(({ usual, found }) => found > usual)
    .map(({ name, found }) => `${name} ${found}`)
}
