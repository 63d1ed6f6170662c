import { randomUUID } from 'node:crypto'
import type { Catalog } from '../catalog/catalog.ts'
import type { Settings } from '../env.ts'
import { WatchedFile } from '../env/watched-file.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Presenter } from '../serve/api/present.ts'
import { withoutUpload } from '../serve/api/visible.ts'
import { monotonic } from '../serve/auth/gate.ts'
import type { PublicNames } from '../serve/public-names.ts'
import type { Store } from '../store/store.ts'
import { Notifier, wanting } from '../work/notify/notifier.ts'
import { partsOf } from '../work/notify/parts.ts'
import type { Subscriber } from '../work/notify/subscriber.ts'
import { parseSubscribers } from '../work/notify/subscribers-file.ts'
import { proxies } from './source-options.ts'
import { userAgent } from './version.ts'

type Subscribers = WatchedFile<readonly Subscriber[]>

/**
 * Who wants to be told what, null where nobody is named. From then on the catalog writes down what is for them.
 * @throws Refusal with one line that names variable, file and the way out
 */
export async function openSubscribers(
  { subscribersFile: path }: Settings,
  { catalog, log }: { readonly catalog: Catalog; readonly log: Log },
): Promise<Subscribers | null> {
  if (path === null) {
    await catalog.transaction(({ notices }) => notices.keepOnly([]))
    return null
  }
  const origin = { variable: 'SLIPWAY_SUBSCRIBERS_FILE', path }
  const file = await WatchedFile.open({ origin, parse: parseSubscribers, log, now: monotonic })
  catalog.noteFor(wanting(file))
  return file
}

type Ground = {
  readonly catalog: Catalog
  readonly store: Store
  readonly presenter: Presenter
  readonly subscribers: Subscribers | null
  readonly metrics: Metrics
  readonly names: () => PublicNames
  readonly now: () => number
  readonly steady: () => number
  readonly log: Log
}

/** Null where nobody wants to be told anything. */
export function openNotifier(settings: Settings, ground: Ground): Notifier | null {
  const { catalog, store, presenter, subscribers: file, metrics, names, now, steady, log } = ground
  if (!file) return null
  const instance = randomUUID()
  const notifier = new Notifier({
    catalog,
    file,
    sight: {
      own: () => ({ external: names().external, instance }),
      show: async (image) => withoutUpload(await presenter.show(image)),
      parts: (digest, signal) => partsOf(digest, store, signal),
    },
    road: { proxies: proxies(settings), userAgent: userAgent(), now },
    now,
    steady,
    random: Math.random,
    log,
    count: (subscriber, outcome, times) => metrics.notices.count(subscriber, outcome, times),
  })
  metrics.notices.levelsFrom(async () => await levels(notifier, now))
  return notifier
}

async function levels(notifier: Notifier, now: () => number) {
  return (await notifier.list()).map(({ subscriber, backlog }) => {
    const { waiting, undelivered, oldest } = backlog
    const age = oldest === null ? 0 : Math.max(0, now() - oldest) / 1000
    return { subscriber: subscriber.name, waiting, undelivered, age }
  })
}
