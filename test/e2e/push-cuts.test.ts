import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf } from '../support/push-content.ts'
import { pushThroughCuts } from '../support/push-cuts.ts'
import { Random } from '../support/random.ts'
import { RegistryClient } from '../support/registry-client.ts'
import { startService } from '../support/service.ts'

const seed = 20_264

describe(`connections that are cut during a push (seed ${seed})`, () => {
  test('cost no byte that was acknowledged, and the offset told is the next one', async () => {
    await using service = await startService()
    const client = new RegistryClient(() => service.base)
    const random = new Random(seed)
    let cuts = 0
    for (let round = 0; cuts < 15; round += 1) {
      const bytes = contentOf(random, 1 + random.below(2_000_000))
      cuts += await pushThroughCuts(client, 'cut/it', bytes, 6, random)
    }
    expect(await readdir(join(service.folder, 'staging'))).toEqual([])
  })
})
