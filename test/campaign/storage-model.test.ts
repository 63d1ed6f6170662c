import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FilesystemStore } from '../../src/store/filesystem.ts'
import { runModel } from '../support/model.ts'
import { age, contentsOf, expectExactly } from '../support/model-store.ts'
import { startService } from '../support/service.ts'

/** CAMPAIGN_SEED=7 npm run campaign does other things. */
const seed = Number(process.env['CAMPAIGN_SEED'] ?? 20_267)
const operations = 20_000
const deadline = 900_000

describe(`${operations} operations of eight clients at random (seed ${seed})`, () => {
  test('leave in the store what the model says, byte for byte', { timeout: deadline }, async () => {
    await using service = await startService()
    const { folder } = service
    const done = await runModel({
      service,
      seed,
      operations,
      between: 2000,
      every: 400,
      deeds: ['kill', 'stop'],
      inspect: async (expected) => {
        await service.stop()
        await expectExactly(await FilesystemStore.open(folder), folder, expected)
        await service.start()
      },
    })
    expect(done).toMatchObject({ kill: expect.any(Number) })
    await service.stop()
    await age(folder, join(folder, 'blobs'))
    await service.start()
    await service.stop()
    expect(await contentsOf(await FilesystemStore.open(folder))).toEqual({
      digests: [],
      records: [],
      staged: [],
      strays: [],
    })
  })
})
