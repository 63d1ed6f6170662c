import { join } from 'node:path'
import { openFigures } from './app/figures.ts'
import { openMaintenance } from './app/maintenance.ts'
import { openNotifier, openSubscribers } from './app/notifier.ts'
import { Rounds } from './app/rounds.ts'
import type { Tracing } from './app/traces.ts'
import { programVersion, userAgent } from './app/version.ts'
import { Catalog } from './catalog/catalog.ts'
import { lockFolder } from './catalog/lock.ts'
import type { Listen, Settings } from './env.ts'
import type { Log } from './log.ts'
import { Metrics } from './metrics.ts'
import { Feed } from './serve/api/feed.ts'
import { ImageShelf } from './serve/api/image-shelf.ts'
import { Presenter } from './serve/api/present.ts'
import { openGate } from './serve/auth/open.ts'
import { front } from './serve/front.ts'
import { ManifestShelf } from './serve/registry/manifest-shelf.ts'
import type { Redirection } from './serve/registry/redirect.ts'
import { accessLog } from './serve/access-log.ts'
import { listen } from './serve/listener.ts'
import { Traffic } from './serve/traffic.ts'
import { publicNames } from './serve/public-names.ts'
import type { TlsFiles } from './tls/pair.ts'
import { untraced } from './traces.ts'
import { makeFolders } from './store/folders.ts'
import { isLinker, type Store } from './store/store.ts'
import { openStore, storeName } from './store/table.ts'
import { Clock } from './work/clock.ts'
import { ClockWatch } from './work/clock-watch.ts'
import { becomeOriginal } from './work/copy-mark.ts'
import { recover, tidy } from './work/recover.ts'
import { Ownership } from './work/ownership.ts'
import { ServerKey } from './work/server-key.ts'
import { Shares } from './work/shares.ts'
import { assertPair } from './work/store-identity.ts'
import { UncleanStop } from './work/unclean-stop.ts'
import { Upkeep } from './work/upkeep.ts'
import { assemble } from './app/assemble.ts'

export type Service = {
  readonly address: Listen
  /** What it takes: each with its method, `ALL` for any, and its path as Hono writes it. */
  readonly routes: readonly { readonly method: string; readonly path: string }[]
  /** Ends cleanly: answers go out, transfers stop where a later start finds them, everything is closed. */
  stop(): Promise<void>
}

/** How long answers may take to go out once the service is told to stop. */
const grace = 30_000

/**
 * Puts the service together: the only place that knows which store, which clock, which port.
 * @throws Refusal when the data folder is in use or newer than this program, or the catalog is damaged or another store's
 */
export async function openService(
  settings: Settings,
  log: Log,
  { traces, observer }: Pick<Tracing, 'traces' | 'observer'> = { traces: untraced, observer: null },
): Promise<Service> {
  const { dataDir } = settings
  await makeFolders(dataDir)
  await using resources = new AsyncDisposableStack()
  resources.use(lockFolder(dataDir))
  const clock = new Clock()
  const { now, steady } = clock
  const key = await ServerKey.load(join(dataDir, 'server.key'))
  const metrics = new Metrics()
  metrics.addProcess(programVersion())
  const refused = () => metrics.authFailures.inc()
  const gate = await openGate(settings, { key, log, userAgent: userAgent(), refused })
  const path = join(dataDir, 'catalog.sqlite')
  const catalog = resources.use(await Catalog.open({ path, now }))
  const store = resources.use(await openStore(settings, log, metrics.s3))
  const subscribers = await openSubscribers(settings, { catalog, log })
  await becomeOriginal(store)
  const pair = { catalog, store, where: { catalog: dataDir, store: storeName(settings) } }
  await assertPair(pair)
  const ownership = new Ownership(pair)
  const soundness = resources.use(await UncleanStop.open({ catalog, path, log }))
  resources.use(await ClockWatch.open({ catalog, clock, log }))
  await recover({ catalog, store, idle: settings.uploadIdle, now })

  const closing = new AbortController()
  const address: { taken: Listen } = { taken: settings.listen }
  const names = () => publicNames(settings, address.taken)
  const ground = { catalog, store, key, names, metrics, now, steady, log }
  const work = assemble(settings, ground)
  const { prober, intake, door, reception, queue, deadlines, active, collector, progress, room } =
    work
  const { pushes, repositories, writers, checkup } = work
  if (observer) work.journeys.observe(observer)
  const isTaking = (id: string) => pushes.isTaking(id)
  const maintenance = await openMaintenance({
    ...ground,
    collector,
    isTaking,
    checkup,
    assertOwn: () => ownership.assert(),
  })
  const figures = openFigures(settings, { ...ground, now: steady, room })
  const shares = new Shares({ catalog, now: steady })
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
    imageShelf: new ImageShelf(catalog, presenter),
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
    traces,
    version: programVersion(),
    gate,
    uploadIdle: settings.uploadIdle,
    maxImageSize: settings.maxImageSize,
    loopbackOnly: settings.auth === null && gate === null,
    publicUrl: settings.publicUrl,
    corsOrigins: settings.corsOrigins ?? [],
    closing: closing.signal,
    soundness: [soundness, ownership],
  })
  metrics.levelsFrom(() => Promise.resolve({ eventStreams: feed.watchers }))
  const traffic = new Traffic(metrics.http, accessLog(log))
  const listener = await listen(routes, settings.listen, { tls: tlsFiles(settings), log, traffic })
  address.taken = listener.address

  queue.start()
  deadlines.look()
  const tidying = (thorough: boolean, signal: AbortSignal) =>
    tidy({ catalog, intake, reception, collector, pushes, repositories, log, thorough, signal })
  const rounds = new Rounds({ catalog, maintenance, tidy: tidying, ownership, now, log })
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
    routes: routes.routes,
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

/** The settings have both or none. */
function tlsFiles({ tlsCert, tlsKey }: Settings): TlsFiles | null {
  return tlsCert !== null && tlsKey !== null ? { cert: tlsCert, key: tlsKey } : null
}
