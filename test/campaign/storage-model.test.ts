import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FilesystemStore } from '../../src/store/filesystem.ts'
import { runModel } from '../support/model.ts'
import { collectAll, failedRuns } from '../support/model-upkeep.ts'
import { age, contentsOf, expectExactly, type Opening } from '../support/model-store.ts'
import { needsS3, startS3 } from '../support/s3.ts'
import { openStoreOn } from '../support/s3-store.ts'
import { startService, type Service } from '../support/service.ts'

/** CAMPAIGN_SEED=7 npm run campaign does other things. */
const seed = Number(process.env['CAMPAIGN_SEED'] ?? 20_267)
const inFiles = 20_000
/** Each takes nearly twice as long there. */
const inS3 = 10_000
const deadline = 1_200_000

type Ground = {
  readonly operations: number
  readonly service: Service
  readonly open: Opening
  readonly folder: string
}

/** Everything that was promised is there when it was promised, and in the end nothing is left but what time has to end. */
async function play({ operations, service, open, folder }: Ground): Promise<void> {
  const done = await runModel({
    service,
    seed,
    operations,
    between: 2000,
    every: 250,
    deeds: ['gc', 'gc', 'dry run', 'kill', 'stop'],
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
  expect(Math.min(done.gc, done['dry run'], done.kill, done.stop)).toBeGreaterThan(0)
  await service.stop()
  await age(service.folder, folder)
  await service.start()
  await collectAll(service)
  await service.stop()
  await using store = await open()
  const nothing = { digests: [], records: [], staged: [], strays: [] }
  expect(await contentsOf(store)).toEqual(nothing)
}

describe(`operations of eight clients at random (seed ${seed})`, () => {
  test(`${inFiles} leave what the model says in files`, { timeout: deadline }, async () => {
    await using service = await startService()
    const { folder } = service
    await play({ operations: inFiles, service, open: () => FilesystemStore.open(folder), folder })
  })

  test.skipIf(!needsS3())(
    `${inS3} leave what the model says in S3`,
    { timeout: deadline },
    async () => {
      await using s3 = await startS3()
      const prefix = 'scratch'
      await using service = await startService(s3.variables(prefix))
      const scratch = join(service.folder, prefix)
      await play({
        operations: inS3,
        service,
        open: () => openStoreOn(s3, scratch),
        folder: s3.folder,
      })
    },
  )
})
