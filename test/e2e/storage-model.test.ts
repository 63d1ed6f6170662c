import { describe, expect, test } from 'vitest'
import { FilesystemStore } from '../../src/store/filesystem.ts'
import { runModel } from '../support/model.ts'
import { expectExactly } from '../support/model-store.ts'
import { startService } from '../support/service.ts'

const seed = 20_267

describe(`eight clients at random (seed ${seed})`, () => {
  test('find what was acknowledged, and leave nothing', async () => {
    await using service = await startService()
    const { folder } = service
    const done = await runModel({
      service,
      seed,
      operations: 160,
      between: 160,
      every: 80,
      deeds: ['kill'],
      inspect: async (expected) => {
        await service.stop()
        await expectExactly(await FilesystemStore.open(folder), folder, expected)
        await service.start()
      },
    })
    expect(done.kill).toBe(2)
  })
})
