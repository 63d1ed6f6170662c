import type { Catalog } from '../catalog/catalog.ts'
import { Refusal } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Store } from '../store/store.ts'
import type { Collector } from '../work/collect.ts'
import { collection } from '../work/collection.ts'
import { Maintenance, type Task } from '../work/maintenance.ts'
import { Unowned } from '../work/unowned.ts'

export type MaintenanceGround = {
  readonly catalog: Catalog
  readonly store: Store
  readonly collector: Collector
  readonly metrics: Metrics
  /** Whether a request of this process is taking in what is staged under an id. */
  readonly isTaking: (id: string) => boolean
  readonly scrub: Task
  readonly now: () => number
  readonly log: Log
}

/** What keeps the storage sound. To be called by whoever holds the data folder: what ran before runs no more. */
export async function openMaintenance(ground: MaintenanceGround): Promise<Maintenance> {
  const { catalog, metrics, scrub } = ground
  await catalog.transaction(({ maintenance }) => maintenance.interruptAll())
  return new Maintenance({
    ...ground,
    tasks: { gc: collection({ ...ground, unowned: new Unowned(ground) }), scrub },
    onEnd: (kind, outcome) => metrics.maintenanceRuns.inc({ kind, outcome }),
  })
}

export const noScrub: Task = () =>
  Promise.reject(new Refusal('UNSUPPORTED', 'this version cannot scrub'))
