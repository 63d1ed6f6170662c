import type { Rest } from '../../client/rest.ts'
import type { Log } from '../../log.ts'
import type { ClusterApi } from '../../kube/cluster-api.ts'
import type { Informer } from '../kube/informer.ts'
import type { Mirror } from '../mirror.ts'
import type { WorkQueue } from '../queue.ts'
import type { ClusterVirtualImage } from '../resource.ts'

/** What the steps look at, and whom they ask. */
export type Surroundings = {
  readonly api: ClusterApi
  readonly rest: Rest
  readonly mirror: Pick<Mirror, 'get' | 'isAway' | 'isSynced' | 'trouble' | 'watch'>
  readonly resources: Pick<Informer<ClusterVirtualImage>, 'get' | 'items' | 'watch' | 'learn'>
  readonly queue: Pick<WorkQueue, 'add' | 'addAfter' | 'retry' | 'forget'>
  readonly log: Log
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Told of each event of the cluster that could not be written. */
  readonly onUnreported?: () => void
}
