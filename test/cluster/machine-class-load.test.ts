import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Api } from '../support/cluster/api.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { Churn } from '../support/cluster/churn.ts'
import { startCluster } from '../support/cluster/cluster.ts'
import { startCompanion, type Companion } from '../support/cluster/companion.ts'
import { NodeApi } from '../support/cluster/node-api.ts'
import { peakMemory, tellsMemory } from '../support/peak-memory.ts'

/** What the companion computes meanwhile, for more nodes, is told by `npm run bench -- --only node-churn`. */

const able = needsCluster() && tellsMemory()
const memory = 300 * 1024 ** 2
/** Requests for the classes that come with the companion, which it may create at the same time. */
const ofPresets = 20

describe.skipIf(!able)('a hundred nodes that change all the time', () => {
  const held = new AsyncDisposableStack()
  let churn: Churn
  let companion: Companion

  beforeAll(async () => {
    const cluster = held.use(await startCluster())
    await cluster.applyCrds()
    churn = new Churn(cluster, new NodeApi(held.use(await Api.open(cluster))), 100)
    await churn.create()
    const { kubeconfig } = cluster
    companion = held.use(await startCompanion({ kubeconfig, service: 'http://127.0.0.1:9' }))
    await vi.waitFor(async () => expect(await churn.available()).toBe(churn.nodes), 60_000)
  }, 120_000)
  afterAll(() => held.disposeAsync())

  test('are looked at together: at most a status and an event a second', async () => {
    const [before, told] = [(await churn.asked()).length, await churn.told()]
    const began = performance.now()
    await churn.change(2 * churn.cycle)
    // Every feature was taken away from a node as often as it was given back.
    await vi.waitFor(async () => expect(await churn.available()).toBe(churn.nodes), 10_000)
    const more = (await churn.asked()).slice(before)
    const looks = Math.ceil((performance.now() - began) / 1000) + 1
    expect(more.length, more.join(', ')).toBeGreaterThan(0)
    const statuses = (await churn.told()) - told
    expect(statuses).toBeGreaterThan(0)
    expect(statuses).toBeLessThanOrEqual(looks)
    expect(more.length, more.join(', ')).toBeLessThanOrEqual(2 * looks + ofPresets)
    expect(await peakMemory(companion.pid)).toBeLessThan(memory)
  })
})
