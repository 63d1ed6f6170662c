import { join } from 'node:path'
import type { Settings } from '../env.ts'
import type { Store } from '../store/store.ts'
import type { Findings } from '../work/rebuild.ts'
import {
  complain,
  interrupted,
  interruption,
  none,
  outputOf,
  print,
  withSettings,
  type Command,
} from './command.ts'

export const command: Command = {
  help: `slipway rebuild [--output json|table]

Makes the catalog again from the storage alone: images with their data source and status, repositories, manifests, tags and
referrers. Stop the service first. What the catalog has already stays, so beside a sound one nothing changes; one that is
damaged, or belongs to another storage, is kept under another name. Images whose bytes are missing are ImageLost; those that
were not Ready are in no record and have to be created again. It may be interrupted and run again. Exit code 1 when a record
cannot be read.
`,
  options: {},
  async run(operands, values) {
    none(operands, 'rebuild')
    const output = outputOf(values)
    const stop = interruption()
    const findings = await unlessStopped(rebuildCatalog(await withSettings(), stop), stop)
    if (findings === null) return interrupted
    if (output === 'json') print(`${JSON.stringify(findings)}\n`)
    else tell(findings)
    return findings.unreadable > 0 ? 1 : 0
  },
}

async function rebuildCatalog(settings: Settings, stop: AbortSignal): Promise<Findings> {
  const { lockFolder } = await import('../catalog/lock.ts')
  const { makeFolders } = await import('../store/folders.ts')
  const { rebuildPair } = await import('../work/rebuild-pair.ts')
  const { ProgressBar } = await import('./progress-bar.ts')
  await makeFolders(settings.dataDir)
  await using resources = new AsyncDisposableStack()
  resources.use(lockFolder(settings.dataDir))
  const store = resources.use(await openSettled(settings))
  const pair = await openPair(settings, store)
  resources.use(pair.catalog)
  const line = resources.use(new ProgressBar())
  const report = (findings: Findings) => line.show(null, summary(findings))
  return await rebuildPair(pair, { now: Date.now, report }, stop)
}

/** Null when whoever asked for it does not want to wait any more. */
async function unlessStopped<Value>(work: Promise<Value>, stop: AbortSignal) {
  try {
    return await work
  } catch (error) {
    if (!stop.aborted) throw error
    complain('stopped; run it again to finish it')
    return null
  }
}

async function openSettled(settings: Settings) {
  const { openLog } = await import('../log.ts')
  const { openStore } = await import('../store/table.ts')
  return await openStore(
    settings,
    openLog({ level: 'warn', format: settings.logFormat, to: 'stderr' }),
  )
}

/** The store, and a catalog that is sound and not that of another one. */
async function openPair(settings: Settings, store: Store) {
  const { Catalog } = await import('../catalog/catalog.ts')
  const { quickCheck } = await import('../catalog/soundness.ts')
  const { isForeign } = await import('../work/store-identity.ts')
  const { storeName } = await import('../store/table.ts')
  const path = join(settings.dataDir, 'catalog.sqlite')
  const damage = quickCheck(path)
  if (damage !== null) await keepAside(path, 'damaged', `is damaged (${damage})`)
  const where = { catalog: settings.dataDir, store: storeName(settings) }
  const open = async () => ({
    catalog: await Catalog.open({ path, now: Date.now, bulk: true }),
    store,
    where,
  })
  const pair = await open()
  if (!(await isForeign(pair))) return pair
  await pair.catalog[Symbol.asyncDispose]()
  await keepAside(path, 'other', 'belongs to another storage')
  return await open()
}

async function keepAside(path: string, why: 'damaged' | 'other', is: string): Promise<void> {
  const { moveAside } = await import('../catalog/soundness.ts')
  const aside = await moveAside(path, why, Date.now())
  complain(`the catalog ${is}; it is kept as ${aside}, and a new one is made`)
}

function summary({ blobs, images, manifests, tags, added }: Findings): string {
  const sum = added.images + added.manifests + added.tags
  return `${blobs} blobs, ${images} images, ${manifests} pushed manifests, ${tags} pushed tags found; ${sum} added`
}

function tell(findings: Findings): void {
  const { blobs, images, manifests, tags, added, lost, missing, unreadable, examples } = findings
  print(
    `found  ${blobs} blobs, ${images} images, ${manifests} pushed manifests, ${tags} pushed tags\n`,
  )
  print(
    `added  ${added.blobs} blobs, ${added.images} images, ${added.manifests} manifests, ${added.tags} tags\n`,
  )
  if (lost > 0) print(`${lost} images are ImageLost now: their bytes are not all here\n`)
  if (missing > 0) print(`${missing} of the manifests are listed, but their bytes are not here\n`)
  if (unreadable > 0) print(`${unreadable} records cannot be read and were left as they are:\n`)
  for (const { key, problem } of examples) print(`  ${key}: ${problem}\n`)
}
