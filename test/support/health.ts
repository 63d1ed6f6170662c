import type { Catalog } from '../../src/catalog/catalog.ts'
import type { Log } from '../../src/log.ts'
import type { Store } from '../../src/store/store.ts'
import { Checkup, type CheckupOptions } from '../../src/work/checkup.ts'
import { Maintenance, type Task } from '../../src/work/maintenance.ts'
import { scrub } from '../../src/work/scrub.ts'
import { Upkeep } from '../../src/work/upkeep.ts'

export type HealthOptions = Pick<CheckupOptions, 'onDamage'> & {
  readonly catalog: Catalog
  readonly store: Store
  readonly now: () => number
  readonly log: Log
  readonly collection: Task
  readonly settings: { readonly scrubRate: number; readonly scrubSchedule: number | null }
}

/** All that finds damage and tells it: when readers meet it, after a start, and by the scrub. */
export function openHealth({ collection, settings, ...ground }: HealthOptions) {
  const { scrubRate: rate, scrubSchedule: every } = settings
  const checkup = new Checkup(ground)
  const tasks = { gc: collection, scrub: scrub({ ...ground, checkup }) }
  const maintenance = new Maintenance({ ...ground, tasks })
  const upkeep = new Upkeep({ ...ground, checkup, maintenance, rate, every })
  return { checkup, maintenance, upkeep }
}
