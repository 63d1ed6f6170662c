import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Catalog } from '../catalog/catalog.ts'
import { lockFolder } from '../catalog/lock.ts'
import type { Settings } from '../env.ts'
import { errno, Refusal } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import { openStore, storeName } from '../store/table.ts'
import { Collector } from '../work/collect.ts'
import { assertOwn, assertPair } from '../work/store-identity.ts'

/** A data folder in the hands of a command: no service runs on it meanwhile. */
export type Offline = AsyncDisposable & {
  readonly catalog: Catalog
  readonly store: Store
  readonly collector: Collector
  readonly now: () => number
  /** Throws when the store is another catalog's by now. */
  readonly assertOwn: () => Promise<void>
}

/** @throws Refusal FOLDER_IN_USE while a service runs on it; UNSUPPORTED when there is no catalog */
export async function openOffline(settings: Settings, log: Log): Promise<Offline> {
  const { dataDir } = settings
  const path = join(dataDir, 'catalog.sqlite')
  await assertThere(path, dataDir)
  await using resources = new AsyncDisposableStack()
  resources.use(lockFolder(dataDir))
  const now = Date.now
  const catalog = resources.use(await Catalog.open({ path, now }))
  const store = resources.use(await openStore(settings, log))
  const pair = { catalog, store, where: { catalog: dataDir, store: storeName(settings) } }
  await assertPair(pair)
  const collector = new Collector(catalog, store, log)
  const held = resources.move()
  return {
    catalog,
    store,
    collector,
    now,
    assertOwn: () => assertOwn(pair),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** An empty catalog in its place would take everything for garbage. */
async function assertThere(path: string, dataDir: string): Promise<void> {
  try {
    await stat(path)
  } catch (cause) {
    if (errno(cause) !== 'ENOENT') throw cause
    throw new Refusal(
      'UNSUPPORTED',
      `there is no catalog in ${dataDir}; set SLIPWAY_DATA_DIR to the service's folder, or SLIPWAY_URL to where it listens`,
      { cause },
    )
  }
}
