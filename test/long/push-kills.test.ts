import { describe, expect, test } from 'vitest'
import { PushKills } from '../support/push-kills.ts'
import { startService } from '../support/service.ts'

/** LONG_SEED=7 npm run long kills at other moments. */
const seed = Number(process.env['LONG_SEED'] ?? 20_265)
const rounds = 60
const deadline = 900_000

describe(`a service that is ended ${rounds} times (seed ${seed})`, () => {
  test.each([
    ['kill -9', rounds],
    ['SIGTERM', rounds / 6],
  ])(
    'by %s has lost nothing that it had acknowledged',
    { timeout: deadline },
    async (how, times) => {
      await using service = await startService()
      const kills = new PushKills(service, seed)
      for (let round = 0; round < times; round += 1) {
        await kills.round(() => (how === 'SIGTERM' ? service.stop() : service.kill()))
      }
      console.log(how, kills.counts)
      expect(kills.counts.taken).toBeGreaterThan(0)
    },
  )
})
