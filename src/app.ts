import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { openFigures } from './app/figures.ts'
import { openMaintenance } from './app/maintenance.ts'
import { openNotifier, openSubscribers } from './app/notifier.ts'
import { Rounds } from './app/rounds.ts'
import { importBandwidth, sourceOptions } from './app/source-options.ts'
import { programVersion, userAgent } from './app/version.ts'
import { Catalog } from './catalog/catalog.ts'
import { lockFolder } from './catalog/lock.ts'
import type { Listen, Settings } from './env.ts'
import type { DataSource } from './image/data-source.ts'
import type { Reference } from './image/reference.ts'
import type { Log } from './log.ts'
import { Metrics } from './metrics.ts'
import { Feed } from './serve/api/feed.ts'
import { Presenter } from './serve/api/present.ts'
import { openGate } from './serve/auth/open.ts'
import { front } from './serve/front.ts'
import { ManifestShelf } from './serve/registry/manifest-shelf.ts'
import type { Redirection } from './serve/registry/redirect.ts'
import { listen } from './serve/listener.ts'
import { ownRepository, publicNames, type PublicNames } from './serve/public-names.ts'
import type { TlsFiles } from './tls/pair.ts'
import { sources } from './source/table.ts'
import { isLinker, type Store } from './store/store.ts'
import { openStore, storeName } from './store/table.ts'
import { Active, type Stopped } from './work/active.ts'
import { Assemblies } from './work/assemblies.ts'
import { Collector } from './work/collect.ts'
import { becomeOriginal } from './work/copy-mark.ts'
import { Deadlines } from './work/deadlines.ts'
import { Checkup } from './work/checkup.ts'
import { Importer } from './work/import.ts'
import { Intake } from './work/intake.ts'
import { Prober } from './work/probe.ts'
import { OwnRegistry } from './work/own-registry.ts'
import { Progress } from './work/progress.ts'
import { Pushes } from './work/pushes.ts'
import { Queue } from './work/queue.ts'
import { recover, tidy } from './work/recover.ts'
import { Repositories } from './work/repositories.ts'
import { Room } from './work/room.ts'
import { ServerKey } from './work/server-key.ts'
import { Shares } from './work/shares.ts'
import { assertPair, outdateCopies } from './work/store-identity.ts'
import { UncleanStop } from './work/unclean-stop.ts'
import { Upkeep } from './work/upkeep.ts'
import { UploadDoor } from './work/upload-door.ts'
import { UploadRecords } from './work/upload-records.ts'
import { Reception } from './work/upload.ts'

export type Service = {
  readonly address: Listen
  /** Ends cleanly: answers go out, transfers stop where a later start finds them, everything is closed. */
  stop(): Promise<void>
}

/** How long answers may take to go out once the service is told to stop. */
const grace = 30_000

/**
 * Puts the service together: the only place that knows which store, which clock, which port.
 * @throws Refusal when the data folder is in use or newer than this program, or the catalog is damaged or another store's
 */
export async function openService(settings: Settings, log: Log): Promise<Service> {
  const { dataDir } = settings
  await mkdir(dataDir, { recursive: true })
  await using resources = new AsyncDisposableStack()
  resources.use(lockFolder(dataDir))
  const now = Date.now
  const key = await ServerKey.load(join(dataDir, 'server.key'))
  const gate = await openGate(settings, { key, log, userAgent: userAgent() })
  const path = join(dataDir, 'catalog.sqlite')
  const catalog = resources.use(await Catalog.open({ path, now }))
  const subscribers = await openSubscribers(settings, { catalog, log })
  const store = resources.use(await openStore(settings, log))
  await becomeOriginal(store)
  const pair = { catalog, store, where: { catalog: dataDir, store: storeName(settings) } }
  await assertPair(pair)
  const soundness = resources.use(await UncleanStop.open({ catalog, path, log }))
  await recover({ catalog, store, idle: settings.uploadIdle, now })

  const closing = new AbortController()
  const address: { taken: Listen } = { taken: settings.listen }
  const names = () => publicNames(settings, address.taken)
  const metrics = new Metrics()
  const ground = { catalog, store, key, names, metrics, now, log }
  const work = assemble(settings, ground)
  const { prober, intake, door, reception, queue, deadlines, active, collector, progress, room } =
    work
  const { pushes, repositories, writers, checkup } = work
  const isTaking = (id: string) => pushes.isTaking(id)
  const maintenance = await openMaintenance({ ...ground, collector, isTaking, checkup })
  const figures = openFigures(settings, { ...ground, room })
  const shares = new Shares(ground)
  const { scrubRate: rate, scrubSchedule: every } = settings
  const upkeep = new Upkeep({ ...ground, checkup, maintenance, rate, every })
  const presenter = new Presenter({ catalog, progress, key, names })
  const notifier = openNotifier(settings, { ...ground, presenter, subscribers })
  const feed = new Feed({ catalog, progress, presenter, log, ticking: everySecond })
  const routes = front({
    catalog,
    feed,
    store,
    prober,
    intake,
    door,
    reception,
    presenter,
    names,
    room,
    pushes,
    repositories,
    maintenance,
    notifier,
    figures,
    shares,
    metrics,
    manifestShelf: new ManifestShelf(catalog, checkup),
    checkup,
    redirection: redirection(settings, store),
    log,
    version: programVersion(),
    gate,
    uploadIdle: settings.uploadIdle,
    maxImageSize: settings.maxImageSize,
    loopbackOnly: settings.auth === null && gate === null,
    publicUrl: settings.publicUrl,
    corsOrigins: settings.corsOrigins ?? [],
    closing: closing.signal,
    soundness,
  })
  const listener = await listen(routes, settings.listen, { tls: tlsFiles(settings), log })
  address.taken = listener.address

  queue.start()
  deadlines.look()
  const tidying = (thorough: boolean, signal: AbortSignal) =>
    tidy({ catalog, intake, reception, collector, pushes, repositories, log, thorough, signal })
  const outdate = () => outdateCopies(pair)
  const rounds = new Rounds({ catalog, maintenance, tidy: tidying, outdate, now, log })
  rounds.start(
    pushes.takeStock().catch((error: unknown) => {
      log.error({ err: error }, 'pushes that an earlier process left could not be looked at')
    }),
  )
  upkeep.start()
  notifier?.start()
  soundness.begin()
  const held = resources.move()
  return {
    address: listener.address,
    async stop() {
      closing.abort()
      const closed = listener.close(grace)
      pushes.drain()
      collector.hurry()
      const transfers = writers.stopAll('shutdown').then(() => active.stopAll('shutdown'))
      const upkept = upkeep.stop().then(() => maintenance.stop())
      await Promise.all([deadlines.stop(), transfers, queue.stop(), upkept, checkup.stop()])
      await Promise.all([closed, rounds.stop(), notifier?.stop()])
      await pushes.close()
      await collector.idle()
      await held.disposeAsync()
    },
  }
}

/** Whether clients reach the endpoint is known to the store, which makes no links where they do not. */
function redirection({ s3Redirect: mode }: Settings, store: Store): Redirection | null {
  return isLinker(store) && mode !== 'never' ? { linker: store, mode } : null
}

function everySecond(tick: () => void): () => void {
  const timer = setInterval(tick, 1000).unref()
  return () => clearInterval(timer)
}

type Ground = {
  readonly catalog: Catalog
  readonly store: Store
  readonly key: ServerKey
  /** Known once the listener has its port. */
  readonly names: () => PublicNames
  readonly metrics: Metrics
  readonly now: () => number
  readonly log: Log
}

function assemble(settings: Settings, ground: Ground) {
  const { catalog, store, names, metrics, now, log } = ground
  const collector = new Collector(catalog, store, log, (freed) => metrics.freed(freed))
  const active = new Active(now)
  const writers = new Active(now)
  const transfers = {
    stop: async (uid: string, why: Stopped['why']) => {
      await writers.stop(uid, why)
      await active.stop(uid, why)
    },
  }
  const progress = new Progress(now)
  const room = new Room(catalog, store, settings)
  const station = { store, room, limits: settings }
  const own = (reference: Reference) => {
    const repository = ownRepository(reference, names())
    return repository === null ? null : new OwnRegistry(repository, ground)
  }
  const reached = { ...sourceOptions(settings), own }
  const from = sources(reached)
  const shared = { ...ground, collector, active, progress, station }
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
  const pushes = new Pushes({ ...shared, room })
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
  }
}

/** The settings have both or none. */
function tlsFiles({ tlsCert, tlsKey }: Settings): TlsFiles | null {
  return tlsCert !== null && tlsKey !== null ? { cert: tlsCert, key: tlsKey } : null
}
