import { describe, test } from 'vitest'
import { runModel } from '../support/model.ts'
import { expectEmptied } from '../support/push-leftovers.ts'
import { startService } from '../support/service.ts'

/** CAMPAIGN_SEED=7 npm run campaign does other things. */
const seed = Number(process.env['CAMPAIGN_SEED'] ?? 20_267)
const operations = 10_000
const deadline = 1_200_000

describe(`${operations} operations of eight clients at random (seed ${seed})`, () => {
  test('find what was acknowledged, and leave nothing', { timeout: deadline }, async () => {
    await using service = await startService()
    let rounds = 0
    const left = await runModel({
      service,
      seed,
      operations,
      between: 400,
      disturb: async () => {
        rounds += 1
        if (rounds % 3 === 1) return
        await (rounds % 3 === 2 ? service.kill() : service.stop())
        await service.start()
      },
    })
    expectEmptied(left)
  })
})
