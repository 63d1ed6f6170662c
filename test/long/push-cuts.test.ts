import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf } from '../support/push-content.ts'
import { pushThroughCuts } from '../support/push-cuts.ts'
import { Random, seedOf } from '../support/random.ts'
import { RegistryClient } from '../support/registry-client.ts'
import { startService } from '../support/service.ts'

/** LONG_SEED=7 npm run long cuts at other places. */
const seed = Number(process.env['LONG_SEED'] ?? 20_264)
const cutsInAll = 1000
const lanes = ['a', 'b', 'c', 'd'] as const
const deadline = 600_000

describe(`connections that are cut ${cutsInAll} times (seed ${seed})`, () => {
  test('cost no byte that was acknowledged', { timeout: deadline }, async () => {
    await using service = await startService()
    const client = new RegistryClient(() => service.base)
    let cuts = 0
    const lane = async (name: string) => {
      const random = new Random(seedOf(name, seed))
      while (cuts < cutsInAll) {
        const bytes = contentOf(random, 1 + random.below(3_000_000))
        cuts += await pushThroughCuts(client, `cut/${name}`, bytes, 1 + random.below(16), random)
      }
    }
    await Promise.all(lanes.map(lane))
    console.log(`${cuts} connections were cut`)
    expect(await readdir(join(service.folder, 'staging'))).toEqual([])
  })
})
