import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ClusterStandIn } from '../support/cluster-stand-in.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { Reconciling } from '../support/reconciling.ts'
import { startService, type Service } from '../support/service.ts'

const patience = { timeout: 20_000, interval: 20 }
const bytes = disk(mebibyte)

describe('a companion that is killed', () => {
  let service: Service

  beforeAll(async () => {
    service = await startService()
  })
  afterAll(async () => {
    await service[Symbol.asyncDispose]()
  })

  /** Kills the companion at its nth request; another one begins where it was. */
  async function until(
    api: ClusterStandIn,
    kill: { readonly nth: number; readonly when: 'before' | 'after' },
    holds: () => boolean,
  ): Promise<void> {
    let count = 0
    let isKilled = false
    const first = new Reconciling({ api, base: service.base })
    api.onRequest = (when) => {
      if (isKilled || when !== kill.when) return
      count += 1
      if (count < kill.nth) return
      isKilled = true
      first.kill()
      throw new Error('killed')
    }
    await expect.poll(() => isKilled || holds(), patience).toBe(true)
    await first[Symbol.asyncDispose]()
    await using second = new Reconciling({ api, base: service.base })
    await expect.poll(holds, patience).toBe(true)
    expect(second.failures).toEqual([])
  }

  const kills = [1, 2, 3, 4, 5, 6, 7, 8].flatMap((nth) =>
    (['before', 'after'] as const).map((when) => ({ nth, when })),
  )

  test.each(kills)('$when its request $nth imports once and tells it once', async (kill) => {
    await using neighbour = await startNeighbour()
    const api = new ClusterStandIn()
    const url = neighbour.serve('/x', { bytes })
    const uid = api.apply('x', { type: 'HTTP', http: { url } })
    await until(api, kill, () => api.statusOf('x').phase === 'Ready')
    const image = await service.rest.image('x')
    expect(image.owner).toEqual({ uid })
    expect(api.statusOf('x')).toEqual({ ...image.status, observedGeneration: 1 })
    expect(neighbour.count('/x')).toBe(1)
    expect(api.events).toEqual(['DataSourceImportStarted', 'DataSourceImportCompleted'])
    api.delete('x')
    await until(api, kill, () => api.resource('x') === null)
    expect(await service.rest.names()).toEqual([])
  })
})
