import { pino } from 'pino'
import { vi } from 'vitest'
import { Refusal } from '../../src/errors.ts'
import { Informer } from '../../src/sync/kube/informer.ts'
import { WorkQueue } from '../../src/sync/queue.ts'
import { VirtualMachineClasses } from '../../src/sync/virtual-machine-class.ts'
import {
  machineSchema,
  machinesPath,
  type Machine,
} from '../../src/sync/virtual-machine-class/machine.ts'
import { nodeSchema, nodesPath } from '../../src/sync/virtual-machine-class/node.ts'
import { virtualMachineClass } from '../../src/sync/virtual-machine-class/resource.ts'
import { ClusterStandIn } from './cluster-stand-in.ts'
import { nodeObject, type NodeShape } from './cluster-nodes.ts'

const log = pino({ level: 'silent' })
const classesPath = virtualMachineClass.path

/** Everything of the companion that looks after VirtualMachineClasses, with an API server in memory; waits are short. */
export class ReconcilingClasses implements AsyncDisposable {
  readonly api: ClusterStandIn
  /** What was tried again as it had failed. */
  readonly failures: unknown[] = []
  /** Keys that come again as something had changed meanwhile. */
  readonly outdated: string[] = []
  /** Keys that were looked at. */
  readonly looks: string[] = []
  readonly #stop = new AbortController()
  readonly #running: readonly Promise<void>[]
  readonly #classes: VirtualMachineClasses
  #unwatch: () => void
  readonly #queue: WorkQueue
  readonly #machines: Informer<Machine>

  constructor(api: ClusterStandIn = new ClusterStandIn()) {
    this.api = api
    const shared = { log, now: Date.now, random: Math.random, api }
    const { path, schema } = virtualMachineClass
    const resources = new Informer({ ...shared, path, schema })
    const nodes = new Informer({ ...shared, path: nodesPath, schema: nodeSchema() })
    const machines = new Informer({
      ...shared,
      path: machinesPath,
      schema: machineSchema,
      mayBeMissing: true,
    })
    this.#machines = machines
    this.#queue = new WorkQueue({
      random: () => 0,
      onFailure: (_key, error) => this.failures.push(error),
    })
    const queue = this.#queue
    const hurried = {
      add: queue.add.bind(queue),
      addAfter: (key: string, after: number) => queue.addAfter(key, Math.min(after, 5)),
      retry: (key: string) => {
        this.outdated.push(key)
        queue.retry(key)
      },
      forget: queue.forget.bind(queue),
    }
    const classes = new VirtualMachineClasses({
      ...shared,
      resources,
      nodes,
      machines,
      queue: hurried,
    })
    this.#classes = classes
    this.#unwatch = classes.watch()
    const { signal } = this.#stop
    this.#running = [
      ...[resources, nodes, machines].map((each) => each.run(signal)),
      this.#queue.run(
        2,
        (key, until) => {
          this.looks.push(key)
          return classes.reconcile(key, until)
        },
        signal,
      ),
    ]
  }

  node(name: string, shape: NodeShape = {}): void {
    putNode(this.api, name, shape)
  }

  apply(name: string, spec: object, annotations?: { readonly [name: string]: string }): void {
    const { apiVersion, kind } = virtualMachineClass
    const metadata = { ...(annotations && { annotations }) }
    this.api.put(`${classesPath}/${name}`, { apiVersion, kind, spec, metadata })
  }

  machine(name: string, spec: object): void {
    this.api.put(machinePath(name), { spec })
  }

  /** Machines that the companion knows of. */
  get known(): readonly string[] {
    return Array.from(this.#machines.items(), ({ metadata }) => metadata.name)
  }

  class(name: string) {
    return this.api.at(`${classesPath}/${name}`)
  }

  condition(name: string, type = 'Ready') {
    return this.class(name)?.status?.conditions?.find((each) => each.type === type)
  }

  matched(name: string) {
    const { status } = this.api.at(machinePath(name)) ?? {}
    return status?.conditions?.find(({ type }) => type === 'SizingPolicyMatched')
  }

  /** What happens meanwhile is seen when this process leads again. */
  async whileAnotherLeads(act: () => Promise<void>): Promise<void> {
    this.#unwatch()
    await act()
    this.#unwatch = this.#classes.watch()
    for (const key of this.#classes.keys()) this.#queue.add(key)
  }

  /** Until what is expected holds. */
  async until(holds: () => void): Promise<void> {
    await vi.waitFor(holds, { interval: 5, timeout: 5000 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#running)
    this.#unwatch()
    this.#queue[Symbol.dispose]()
  }
}

/** A node with one feature, unless others are given. */
export function putNode(api: ClusterStandIn, name: string, shape: NodeShape = {}): void {
  const { metadata, ...fields } = nodeObject(name, { features: ['avx'], ...shape })
  api.put(`${nodesPath}/${name}`, { ...fields, metadata: { labels: metadata.labels } })
}

export { classesPath, machinesPath }

/** Of the namespace that all machines are in. */
export const machinesHere = machinesPath.replace(
  '/virtualmachines',
  '/namespaces/default/virtualmachines',
)

export function machinePath(name: string): string {
  return `${machinesHere}/${name}`
}

/** As a cluster without VirtualMachines answers. */
export const noMachines = new Refusal('CLUSTER_NOT_FOUND', 'there is no such kind')
