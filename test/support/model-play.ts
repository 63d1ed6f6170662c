import { expect } from 'vitest'
import { runModel } from './model.ts'
import { collectAll, failedRuns } from './model-upkeep.ts'
import { age, contentsOf, expectExactly, type Opening } from './model-store.ts'
import type { Service } from './service.ts'

/** LONG_SEED=7 npm run long does other things, LONG_OPERATIONS=500 fewer. */
export const seed = Number(process.env['LONG_SEED'] ?? 20_267)
export const deadline = 1_800_000

export function operationsOr(usual: number): number {
  return Number(process.env['LONG_OPERATIONS'] ?? usual)
}

type Ground = {
  readonly operations: number
  readonly service: Service
  readonly open: Opening
  readonly folder: string
}

/** Everything that was promised is there when it was promised, and in the end nothing is left but what time has to end. */
export async function play({ operations, service, open, folder }: Ground): Promise<void> {
  const done = await runModel({
    service,
    seed,
    operations,
    between: Math.min(operations, 2000),
    // Often enough for each deed to have its turns.
    every: Math.min(250, Math.ceil(operations / 50)),
    deeds: ['gc', 'gc', 'dry run', 'scrub', 'kill', 'stop'],
    inspect: async (expected) => {
      // What a crash has left goes with the sweep after the start, which may not be over.
      await collectAll(service)
      await service.stop()
      await using store = await open()
      await expectExactly(store, service.folder, expected)
      await service.start()
    },
  })
  expect(await failedRuns(service)).toEqual([])
  expect(Math.min(...Object.values(done))).toBeGreaterThan(0)
  await service.stop()
  await age(service.folder, folder)
  await service.start()
  await collectAll(service)
  await service.stop()
  await using store = await open()
  const nothing = { digests: [], records: [], staged: [], strays: [] }
  expect(await contentsOf(store)).toEqual(nothing)
}
