import type { Log } from '../log.ts'
import type { ClusterApi } from '../kube/cluster-api.ts'
import { applyPresets } from '../sync/apply-presets.ts'
import { Informer } from '../sync/kube/informer.ts'
import { readPresets } from '../sync/presets.ts'
import type { WorkQueue } from '../sync/queue.ts'
import type { ReadinessOptions } from '../sync/readiness.ts'
import { rounds } from '../sync/rounds.ts'
import { together } from '../sync/together.ts'
import { VirtualMachineClasses } from '../sync/virtual-machine-class.ts'
import { machineSchema, machinesPath } from '../sync/virtual-machine-class/machine.ts'
import { nodeSchema, nodesPage, nodesPath } from '../sync/virtual-machine-class/node.ts'
import { virtualMachineClass, type MachineClass } from '../sync/virtual-machine-class/resource.ts'

type Ground = {
  readonly api: ClusterApi
  readonly log: Log
  readonly now: () => number
  readonly random: () => number
  readonly onUnreported: () => void
  readonly queue: WorkQueue
  readonly workers: number
  /** Of the companion. */
  readonly namespace: string
  /** Resolves when the webhook can be asked, or when the signal ends. */
  readonly admitted: (signal: AbortSignal) => Promise<void>
}

/** The part of the companion that looks after VirtualMachineClasses. */
export type MachineClasses = {
  /** Those that there are. */
  readonly resources: Informer<MachineClass>
  /** All that is asked for, by what it is called, with why the API server does not tell it. */
  readonly asked: ReadinessOptions['others']
  /** Learns what there is, also while another process leads. */
  readonly know: (signal: AbortSignal) => Promise<void>
  /** Works for as long as this process leads. */
  readonly lead: (signal: AbortSignal) => Promise<void>
}

export function openMachineClasses(ground: Ground): MachineClasses {
  const { queue, workers } = ground
  const { path, schema } = virtualMachineClass
  const resources = new Informer({ ...ground, path, schema })
  const nodes = new Informer({ ...ground, path: nodesPath, page: nodesPage, schema: nodeSchema() })
  const machines = new Informer({
    ...ground,
    path: machinesPath,
    schema: machineSchema,
    mayBeMissing: true,
  })
  const classes = new VirtualMachineClasses({ ...ground, resources, nodes, machines })
  const all = [resources, nodes, machines].map((each) => (signal: AbortSignal) => each.run(signal))
  return {
    resources,
    asked: Object.entries({ classes: resources, nodes, machines }),
    know: (signal) => together(all, signal),
    lead: (signal) =>
      rounds(
        {
          queue,
          workers,
          work: (key, until) => classes.reconcile(key, until),
          names: () => classes.keys(),
          follow: () => ({ [Symbol.dispose]: classes.watch() }),
          listen: (until) => applyPresets({ ...ground, presets: readPresets }, until),
        },
        signal,
      ),
  }
}
