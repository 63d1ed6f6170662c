import { counted } from './imports.ts'
import { importBandwidth, sourceOptions } from './source-options.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { Settings } from '../env.ts'
import type { DataSource } from '../image/data-source.ts'
import type { Reference } from '../image/reference.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { ownRepository, type PublicNames } from '../serve/public-names.ts'
import { sources } from '../source/table.ts'
import type { Store } from '../store/store.ts'
import { Active, type Stopped } from '../work/active.ts'
import { Assemblies } from '../work/assemblies.ts'
import { Collector } from '../work/collect.ts'
import { Deadlines } from '../work/deadlines.ts'
import { Checkup } from '../work/checkup.ts'
import { Importer } from '../work/import.ts'
import { toldTo } from '../work/journey-log.ts'
import { Journeys } from '../work/journeys.ts'
import { Intake } from '../work/intake.ts'
import { Prober } from '../work/probe.ts'
import { OwnRegistry } from '../work/own-registry.ts'
import { Progress } from '../work/progress.ts'
import { Pushes } from '../work/pushes.ts'
import { Queue } from '../work/queue.ts'
import { Repositories } from '../work/repositories.ts'
import { Room } from '../work/room.ts'
import type { ServerKey } from '../work/server-key.ts'
import { UploadDoor } from '../work/upload-door.ts'
import { UploadRecords } from '../work/upload-records.ts'
import { Reception } from '../work/upload.ts'

/** What everything stands on. */
export type Ground = {
  readonly catalog: Catalog
  readonly store: Store
  readonly key: ServerKey
  /** Known once the listener has its port. */
  readonly names: () => PublicNames
  readonly metrics: Metrics
  readonly now: () => number
  /** Milliseconds from any beginning, which nobody sets: for what passes in this process alone. */
  readonly steady: () => number
  readonly log: Log
}

/** The journey of an image put together: what takes bytes in, works on them and keeps them. */
export function assemble(settings: Settings, ground: Ground) {
  const { catalog, store, names, metrics, now, steady, log } = ground
  const collector = new Collector(catalog, store, log, (freed) => metrics.freed(freed))
  const active = new Active(now, steady)
  const writers = new Active(now, steady)
  const transfers = {
    stop: async (uid: string, why: Stopped['why']) => {
      await writers.stop(uid, why)
      await active.stop(uid, why)
    },
  }
  const progress = new Progress(steady)
  const room = new Room(catalog, store, settings)
  const station = { store, room, limits: settings }
  const own = (reference: Reference) => {
    const repository = ownRepository(reference, names())
    return repository === null ? null : new OwnRegistry(repository, ground)
  }
  const reached = { ...sourceOptions(settings), own }
  const from = sources(reached)
  const journeys = new Journeys(ground)
  journeys.observe(toldTo(log))
  journeys.observe(counted(metrics.imports))
  const shared = { ...ground, collector, active, progress, station, journeys }
  const importer = new Importer({
    ...shared,
    sources: sources({ ...reached, bandwidth: importBandwidth(settings) }),
    sharesLayers: settings.accessFile === null,
    retryFor: settings.importRetryFor,
    random: Math.random,
    onReady: (name) => void hurryWaiting(name),
  })
  const queue = new Queue({ ...ground, worker: importer, concurrency: settings.importConcurrency })
  catalog.watchMended(() => queue.look())
  const deadlines = new Deadlines({
    ...shared,
    active: transfers,
    ttl: settings.uploadTtl,
    idle: settings.uploadIdle,
  })
  /** Images that refer to this one need not wait for their next attempt. */
  const hurryWaiting = async (name: string) => {
    try {
      await catalog.transaction(({ jobs }) => jobs.hurryReferring(name))
      queue.look()
    } catch (error) {
      log.error({ err: error, image: name }, 'images that wait for this one could not be woken')
    }
  }
  const idle = settings.uploadIdle
  const records = new UploadRecords({ ...shared, deadlines, idle })
  const assemblies = new Assemblies({
    ...shared,
    records,
    idle,
    onReady: (name) => void hurryWaiting(name),
  })
  const door = new UploadDoor({ ...shared, assemblies, room, deadlines })
  const reception = new Reception({ ...shared, writers, assemblies, records, door, idle })
  const check = ({ http, containerImage }: DataSource) => {
    if (http) from.HTTP.at(http)
    if (containerImage) from.ContainerImage.at(containerImage)
  }
  const intake = new Intake({
    ...shared,
    active: transfers,
    queue,
    deadlines,
    check,
    uploadTtl: settings.uploadTtl,
  })
  const prober = new Prober({ sources: from, station })
  const pushes = new Pushes({ ...shared, room, now: steady })
  const repositories = new Repositories(shared)
  const checkup = new Checkup({ ...ground, onDamage: () => ground.metrics.scrubErrors.inc() })
  return {
    prober,
    intake,
    door,
    reception,
    queue,
    deadlines,
    active,
    writers,
    collector,
    progress,
    room,
    pushes,
    repositories,
    checkup,
    journeys,
  }
}
