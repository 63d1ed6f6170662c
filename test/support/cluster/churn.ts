import { setTimeout as pass } from 'node:timers/promises'
import { z } from 'zod'
import type { Cluster } from './cluster.ts'
import type { NodeApi } from './node-api.ts'

/** Requests to the API server at a time. */
const atOnce = 8
const features = Array.from({ length: 400 }, (_, index) => `feature-${index}`)
const className = 'universal'
const nameOf = (index: number) => `node-${String(index).padStart(3, '0')}`
const readStatus = z.object({ status: z.object({ availableNodes: z.array(z.string()) }) })

/** Nodes with 400 labels of CPU features each, whose labels change all the time, and one class that looks at them. */
export class Churn {
  readonly nodes: number
  /** After so many changes, or a multiple, each node has all of its features again. */
  readonly cycle: number
  readonly #cluster: Cluster
  readonly #api: NodeApi

  constructor(cluster: Cluster, api: NodeApi, nodes: number) {
    this.nodes = nodes
    this.cycle = 2 * nodes
    this.#cluster = cluster
    this.#api = api
  }

  async create(): Promise<void> {
    await inTurns(this.nodes, (index) => {
      const labels = { group: index % 2 ? 'blue' : 'green' }
      return this.#api.create(nameOf(index), { features, labels })
    })
    const [apiVersion, kind] = ['virtualization.deckhouse.io/v1alpha2', 'VirtualMachineClass']
    const spec = { cpu: { type: 'Discovery', discovery: {} } }
    const manifest = { apiVersion, kind, metadata: { name: className }, spec }
    await this.#cluster.apply(JSON.stringify(manifest))
  }

  /** @param lasting milliseconds over which the changes are spread; without, they come as fast as they are taken */
  async change(count: number, lasting = 0): Promise<void> {
    await inTurns(count, (index) => this.#change(index), lasting)
  }

  /** How many nodes the class has. */
  async available(): Promise<number> {
    const { data } = readStatus.safeParse(await this.#cluster.read('vmclass', className))
    return data?.status.availableNodes.length ?? 0
  }

  /** What the companion asked the API server for because of nodes: verbs and resources, in order. */
  async asked(): Promise<readonly string[]> {
    const all = (await this.#cluster.audit()).filter(({ agent }) => agent.startsWith('slipway/'))
    return all.flatMap(({ verb, resource }) =>
      resource === 'leases' || resource === 'virtualmachines' ? [] : [`${verb} ${resource}`],
    )
  }

  /** How often the companion told the status of the class that looks at the nodes. */
  async told(): Promise<number> {
    return (await this.#cluster.audit()).filter(
      ({ verb, resource, name }) =>
        verb === 'patch' && resource === 'virtualmachineclasses/status' && name === className,
    ).length
  }

  /** Most of the labels tell nothing that counts; one of ten takes a feature away, or gives it back. */
  async #change(index: number): Promise<void> {
    const at = index % this.nodes
    const isTaken = index % this.cycle < this.nodes
    const feature = `cpu-feature.node.kubevirt.io/${features[at % features.length]}`
    const labels =
      index % 10 === 0 ? { [feature]: isTaken ? null : 'true' } : { beat: String(index) }
    await this.#api.change(nameOf(at), { metadata: { labels } })
  }
}

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
