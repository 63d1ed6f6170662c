import type { Catalog } from '../catalog/catalog.ts'
import type { Facts } from '../catalog/maintenance-runs.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Store } from '../store/store.ts'
import type { Checkup } from '../work/checkup.ts'
import type { Collector } from '../work/collect.ts'
import { collection } from '../work/collection.ts'
import { Maintenance, type Task } from '../work/maintenance.ts'
import { scrub } from '../work/scrub.ts'
import { Unowned } from '../work/unowned.ts'

export type MaintenanceGround = {
  readonly catalog: Catalog
  readonly store: Store
  readonly collector: Collector
  readonly metrics: Metrics
  /** Whether a request of this process is taking in what is staged under an id. */
  readonly isTaking: (id: string) => boolean
  readonly checkup: Checkup
  /** Throws when the store is not this catalog's any more. */
  readonly assertOwn: () => Promise<void>
  readonly now: () => number
  readonly steady: () => number
  readonly log: Log
}

/** What keeps the storage sound. To be called by whoever holds the data folder: what ran before runs no more. */
export async function openMaintenance(ground: MaintenanceGround): Promise<Maintenance> {
  const { catalog, metrics, steady, assertOwn } = ground
  await catalog.transaction(({ maintenance }) => maintenance.interruptAll())
  return new Maintenance({
    ...ground,
    now: steady,
    tasks: {
      gc: owned(
        collection({ ...ground, unowned: new Unowned({ ...ground, now: steady }) }),
        assertOwn,
      ),
      scrub: counted(scrub(ground), metrics),
    },
    onEnd: (kind, outcome) => metrics.maintenanceRuns.inc({ kind, outcome }),
  })
}

/** A task that may remove what another service's catalog knows, and this one's does not. */
function owned(task: Task, assertOwn: () => Promise<void>): Task {
  return async (errand, signal) => {
    await assertOwn()
    await task(errand, signal)
  }
}

/** A scrub whose bytes the metrics tell. */
function counted(task: Task, { scrubBytes }: Metrics): Task {
  return async (errand, signal) => {
    let before = bytesOf(errand.before)
    const report = (progress: Facts) => {
      scrubBytes.inc(Math.max(0, bytesOf(progress) - before))
      before = bytesOf(progress)
      errand.report(progress)
    }
    await task({ ...errand, report }, signal)
  }
}

function bytesOf({ bytes }: Facts): number {
  return Number(bytes ?? 0)
}
