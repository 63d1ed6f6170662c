import { readFile } from 'node:fs/promises'
import { setTimeout as pass } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { Api } from '../support/cluster/api.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { startCompanion, type Companion } from '../support/cluster/companion.ts'
import { NodeApi } from '../support/cluster/node-api.ts'
import { peakMemory, tellsMemory } from '../support/peak-memory.ts'

/** 500 nodes with 400 labels of features each, and 5 000 changes of labels within a minute. */

const able = needsCluster() && tellsMemory()
const [total, changes, minute] = [500, 5000, 60_000]
/** Requests to the API server at a time. */
const atOnce = 8
/** Of one core. */
const most = 0.1
const memory = 300 * 1024 ** 2
/** One class follows the nodes that change, and tells of it once a second by a status and an event. */
const requestsMost = 2 * (minute / 1000) + 20
const features = Array.from({ length: 400 }, (_, index) => `feature-${index}`)
const nameOf = (index: number) => `node-${String(index).padStart(3, '0')}`
const readStatus = z.object({ status: z.object({ availableNodes: z.array(z.string()) }) })

/** Seconds that a process has computed so far (proc(5), utime and stime, in hundredths). */
async function computed(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

describe.skipIf(!able)('500 nodes that change all the time', () => {
  const held = new AsyncDisposableStack()
  let cluster: Cluster
  let nodes: NodeApi
  let companion: Companion

  beforeAll(async () => {
    cluster = held.use(await startCluster())
    await cluster.applyCrds()
    nodes = new NodeApi(held.use(await Api.open(cluster)))
    await inTurns(total, (index) =>
      nodes.create(nameOf(index), { features, labels: { group: index % 2 ? 'blue' : 'green' } }),
    )
    const spec = { cpu: { type: 'Discovery', discovery: {} } }
    const [apiVersion, kind] = ['virtualization.deckhouse.io/v1alpha2', 'VirtualMachineClass']
    await cluster.apply(JSON.stringify({ apiVersion, kind, metadata: { name: 'universal' }, spec }))
    const { kubeconfig } = cluster
    companion = held.use(await startCompanion({ kubeconfig, service: 'http://127.0.0.1:9' }))
    await vi.waitFor(async () => expect(await available()).toBe(total), { timeout: 60_000 })
  }, 300_000)
  afterAll(() => held.disposeAsync())

  /** Several at a time; all of them within so many milliseconds, but not sooner. */
  async function inTurns(count: number, turn: (index: number) => Promise<void>, lasting = 0) {
    const began = performance.now()
    let next = 0
    const work = async () => {
      for (let index = next++; index < count; index = next++) {
        await pass(Math.max(0, began + (lasting * index) / count - performance.now()))
        await turn(index)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, work))
  }

  async function available(): Promise<number> {
    const { data } = readStatus.safeParse(await cluster.read('vmclass', 'universal'))
    return data?.status.availableNodes.length ?? 0
  }

  async function asked(): Promise<readonly string[]> {
    const all = (await cluster.audit()).filter(({ agent }) => agent.startsWith('slipway/'))
    return all.flatMap(({ verb, resource }) =>
      resource === 'leases' || resource === 'virtualmachines' ? [] : [`${verb} ${resource}`],
    )
  }

  /** Most of the labels tell nothing that counts; one of ten takes a feature away, or gives it back. */
  async function change(index: number): Promise<void> {
    const name = nameOf(index % total)
    const isTaken = Math.floor(index / total) % 2 === 0
    const feature = `cpu-feature.node.kubevirt.io/${features[(index % total) % features.length]}`
    const labels =
      index % 10 === 0 ? { [feature]: isTaken ? null : 'true' } : { beat: String(index) }
    await nodes.change(name, { metadata: { labels } })
  }

  test('cost less than a tenth of a core, and few requests', { timeout: 300_000 }, async () => {
    const [before, requests, began] = [
      await computed(companion.pid),
      (await asked()).length,
      performance.now(),
    ]
    await inTurns(changes, change, minute)
    const seconds = (performance.now() - began) / 1000
    const used = (await computed(companion.pid)) - before
    const more = (await asked()).slice(requests)
    const tally = [...Map.groupBy(more, (each) => each)].map(
      ([what, all]) => `${all.length} × ${what}`,
    )
    const peak = await peakMemory(companion.pid)
    console.log(
      `${changes} changes in ${seconds.toFixed(1)} s: ${used.toFixed(2)} s computed, ${tally.join(', ')}, at most ${Math.round(peak / 1024 ** 2)} MiB`,
    )
    expect(used / (minute / 1000)).toBeLessThan(most)
    expect(more.length, tally.join(', ')).toBeLessThan(requestsMost)
    expect(peak).toBeLessThan(memory)
    // Every feature was taken away from a node as often as it was given back.
    await expect.poll(available, { timeout: 10_000 }).toBe(total)
  })
})
