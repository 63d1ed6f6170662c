import type { ClusterApi } from '../../kube/cluster-api.ts'
import type { Log } from '../../log.ts'
import type { Informer } from '../kube/informer.ts'
import type { WorkQueue } from '../queue.ts'
import type { Machine } from './machine.ts'
import type { NodeItem } from './node.ts'
import type { MachineClass } from './resource.ts'

/** What the steps look at, and whom they ask. */
export type Surroundings = {
  readonly api: ClusterApi
  readonly resources: Pick<Informer<MachineClass>, 'get' | 'items' | 'watch' | 'learn' | 'isSynced'>
  readonly nodes: Pick<Informer<NodeItem>, 'items' | 'watch' | 'isSynced'>
  readonly machines: Pick<
    Informer<Machine>,
    'get' | 'items' | 'watch' | 'learn' | 'isSynced' | 'trouble'
  >
  readonly queue: Pick<WorkQueue, 'add' | 'addAfter' | 'retry' | 'forget'>
  readonly log: Log
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Told of each event of the cluster that could not be written. */
  readonly onUnreported?: () => void
}
