import type { Catalog } from '../catalog/catalog.ts'
import type { MaintenanceRun } from '../catalog/maintenance-runs.ts'
import type { Settings } from '../env.ts'
import type { Metrics } from '../metrics.ts'
import type { Levels } from '../metrics/levels.ts'
import { Figures, type FigureOptions } from '../work/figures.ts'

/** Who gathers metrics does not wait for the sums over a million blobs, in milliseconds; it gets the last ones. */
const summedWithin = 5

type Told = Pick<Settings, 'storageLimit' | 'importConcurrency' | 'scrubSchedule'>
type Ground = Omit<FigureOptions, 'storageLimit'> & { readonly metrics: Metrics }

/** The figures of the storage, which the metrics tell, too. */
export function openFigures(
  { storageLimit, importConcurrency, scrubSchedule }: Told,
  ground: Ground,
): Figures {
  const { catalog, room, metrics } = ground
  const figures = new Figures({ ...ground, storageLimit })
  metrics.levelsFrom(async () => ({
    ...(await summed(figures)),
    ...(await waiting(catalog)),
    stagedBytes: room.staged,
    limitBytes: storageLimit,
    jobSlots: importConcurrency,
    scrubInterval: scrubSchedule === null ? null : scrubSchedule / 1000,
  }))
  return figures
}

async function summed(figures: Figures): Promise<Partial<Levels>> {
  const sums = await figures.soon(summedWithin)
  if (!sums) return {}
  const { blobBytes, logicalBytes, freeBytes, counts } = sums
  return { ...counts, blobBytes, logicalBytes, freeBytes }
}

async function waiting({ read: { jobs, maintenance } }: Catalog): Promise<Partial<Levels>> {
  const { due, later } = await jobs.waiting()
  return { jobsDue: due, jobsLater: later, maintained: lastOfEach(await maintenance.list(all)) }
}

/** As many runs as are remembered of both kinds. */
const all = 100

/** A dry run has not done anything. The newest run comes first. */
function lastOfEach(runs: readonly MaintenanceRun[]): Levels['maintained'] {
  const whole = runs.filter(({ state, options }) => state === 'done' && options['dryRun'] !== true)
  const ends = whole.map(({ kind, finishedAt }) => [kind, (finishedAt ?? 0) / 1000] as const)
  return Object.fromEntries(ends.toReversed())
}
