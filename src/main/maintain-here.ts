import { setTimeout as sleep } from 'node:timers/promises'
import { openMaintenance } from '../app/maintenance.ts'
import { openOffline } from '../app/offline.ts'
import type { StorageRun } from '../client/storage-runs.ts'
import type { Settings } from '../env.ts'
import { Bug } from '../errors.ts'
import { openLog } from '../log.ts'
import { Metrics } from '../metrics.ts'
import { Checkup } from '../work/checkup.ts'
import type { Errand } from './maintain.ts'

/**
 * Does it on the data folder, in this process.
 * @throws Refusal FOLDER_IN_USE while a service runs on it
 */
export async function beginHere({ kind, options }: Errand, settings: Settings) {
  const log = openLog({ level: 'warn', format: settings.logFormat, to: 'stderr' })
  await using resources = new AsyncDisposableStack()
  const offline = resources.use(await openOffline(settings, log))
  const checkup = new Checkup({ ...offline, log })
  resources.defer(() => checkup.stop())
  const maintenance = await openMaintenance({
    ...offline,
    steady: () => performance.now(),
    metrics: new Metrics(),
    isTaking: () => false,
    checkup,
    log,
  })
  resources.defer(() => maintenance.stop())
  const begun: StorageRun = await maintenance.start(kind, options)
  const look = async (): Promise<StorageRun> => {
    const run = await maintenance.byId(begun.id)
    if (!run) throw new Bug(`the run ${begun.id} is lost`)
    return run
  }
  const held = resources.move()
  return {
    begun,
    async after(milliseconds: number, signal: AbortSignal) {
      const done = new AbortController()
      const either = AbortSignal.any([signal, done.signal])
      const waited = sleep(milliseconds, undefined, { signal: either }).catch(() => {})
      await Promise.race([waited, maintenance.finished(kind)])
      done.abort()
      signal.throwIfAborted()
      return await look()
    },
    async leave() {
      offline.collector.hurry()
      await maintenance.stop()
      return 'interrupted; run it again to finish it'
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}
