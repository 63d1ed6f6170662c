import { describe, test } from 'vitest'
import { runModel } from '../support/model.ts'
import { expectEmptied } from '../support/push-leftovers.ts'
import { startService } from '../support/service.ts'

const seed = 20_267

describe(`eight clients at random (seed ${seed})`, () => {
  test('find what was acknowledged, and leave nothing', async () => {
    await using service = await startService()
    const left = await runModel({
      service,
      seed,
      operations: 600,
      between: 600,
      disturb: async () => {
        await service.kill()
        await service.start()
      },
    })
    expectEmptied(left)
  })
})
