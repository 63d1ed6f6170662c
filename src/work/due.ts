import type { MaintenanceRuns } from '../catalog/maintenance-runs.ts'
import type { MaintenanceKind } from '../catalog/schema.ts'

/** As many runs as are remembered of both kinds. */
const all = 100

/** Whether the last whole run of a kind began so many milliseconds ago, or there was none. A dry one is none. */
export async function isDue(
  kind: MaintenanceKind,
  every: number,
  runs: Pick<MaintenanceRuns, 'list'>,
  now: number,
): Promise<boolean> {
  const whole = (await runs.list(all)).find(
    (run) => run.kind === kind && run.state === 'done' && run.options['dryRun'] !== true,
  )
  return !whole || whole.startedAt <= now - every
}
