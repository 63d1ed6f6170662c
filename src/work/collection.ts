import { setImmediate } from 'node:timers/promises'
import type { Blob } from '../catalog/blobs.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { Facts } from '../catalog/maintenance-runs.ts'
import { Outage } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Store, Stray } from '../store/store.ts'
import type { Collector, Freed } from './collect.ts'
import { eachOf } from './each-of.ts'
import type { Errand, Task } from './maintenance.ts'
import { countUnknownRecords } from './unknown-records.ts'
import type { Unowned } from './unowned.ts'
import { pagesOfUnkept } from './unkept.ts'

export type CollectionOptions = {
  readonly catalog: Catalog
  readonly store: Store
  readonly collector: Collector
  readonly unowned: Unowned
  readonly now: () => number
  readonly log: Log
}

/** What is younger may belong to somebody who has not told yet, in milliseconds. */
export const youngest = 24 * 3_600_000
/** Blobs of the store that are looked up at once. */
const handful = 200
/** Strays that are removed at the same time. */
const width = 8
/** When so many removals fail and none succeeds, it is the store that fails. */
const hopeless = 100

/**
 * The whole collection, beside everything else: blobs that the catalog knows and nothing keeps, blobs of the store that the
 * catalog does not know, and what crashed programs have left half done. With `dryRun` nothing is removed, and counted what
 * would be.
 */
export function collection(options: CollectionOptions): Task {
  return (errand, signal) => new Collection(options, errand, signal).run()
}

type Phase = 'catalog' | 'store' | 'strays' | 'staging' | 'done'

class Collection {
  readonly #options: CollectionOptions
  readonly #isDry: boolean
  readonly #report: (progress: Facts) => void
  readonly #signal: AbortSignal
  #phase: Phase = 'catalog'
  /** Blobs that the catalog knows, once they were counted on the way, and what this phase has looked at. */
  #total: number | null = null
  #looked = 0
  readonly #counts = { removed: 0, freedBytes: 0, failed: 0, unknown: 0, strays: 0, staged: 0 }
  #warning = ''
  #failedInVain = 0
  #isWhole: boolean | null = null

  constructor(options: CollectionOptions, { options: asked, report }: Errand, signal: AbortSignal) {
    this.#options = options
    this.#isDry = asked['dryRun'] === true
    this.#report = report
    this.#signal = signal
  }

  /** @throws Outage STORAGE_UNAVAILABLE when the store does not remove anything; the reason of the signal */
  async run(): Promise<void> {
    if (!this.#isDry) this.#freed(await this.#options.collector.finish())
    await this.#collectUnkept()
    await this.#collectUnknown()
    await this.#collectStrays()
    await this.#collectStaged()
    this.#end()
  }

  async #collectUnkept(): Promise<void> {
    this.#enter('catalog')
    for await (const { looked, unkept } of pagesOfUnkept(this.#options.catalog)) {
      this.#signal.throwIfAborted()
      if (unkept.length > 0) await this.#freeUnkept(unkept)
      this.#look(looked)
    }
    this.#total = this.#looked
  }

  async #freeUnkept(unkept: readonly Blob[]): Promise<void> {
    if (this.#isDry) return this.#freed(wouldFree(unkept))
    this.#freed(await this.#options.collector.free(unkept.map(({ digest }) => digest)))
  }

  /** A crash between a rename and its commit leaves a blob that no row knows. */
  async #collectUnknown(): Promise<void> {
    this.#enter('store')
    const { store, now } = this.#options
    let some: Blob[] = []
    for await (const { digest, size, since } of store.list()) {
      this.#signal.throwIfAborted()
      if (since < now() - youngest) some.push({ digest, size })
      if (some.length === handful) {
        await this.#freeUnknown(some)
        some = []
      }
      this.#look(1)
    }
    await this.#freeUnknown(some)
  }

  async #freeUnknown(some: readonly Blob[]): Promise<void> {
    const known = await this.#options.catalog.read.blobs.known(some.map(({ digest }) => digest))
    const unknown = some.filter(({ digest }) => !known.has(digest))
    await setImmediate()
    if (unknown.length === 0) return
    this.#counts.unknown += unknown.length
    if (!(await this.#isCatalogWhole())) return
    if (this.#isDry) return this.#freed(wouldFree(unknown))
    this.#freed(await this.#options.collector.freeUnknown(unknown))
  }

  /** A catalog that was lost or restored does not know what is in use: the records tell, and nothing is removed then. */
  async #isCatalogWhole(): Promise<boolean> {
    this.#isWhole ??= await this.#askRecords()
    return this.#isWhole
  }

  async #askRecords(): Promise<boolean> {
    const { catalog, store, log } = this.#options
    const missing = await countUnknownRecords(catalog, store, this.#signal)
    if (missing === 0) return true
    this.#warning = `the catalog lacks ${missing} manifests that the store has, so blobs that it does not know were left alone; run slipway rebuild`
    log.warn({ missing }, this.#warning)
    return false
  }

  async #collectStrays(): Promise<void> {
    this.#enter('strays')
    const { store, now } = this.#options
    const discard = async ({ name, size, remove }: Stray) => {
      await this.#discard('strays', { name, size }, remove)
      this.#look(1)
    }
    await eachOf(store.strays(now() - youngest), width, discard, this.#signal)
  }

  async #collectStaged(): Promise<void> {
    this.#enter('staging')
    const { store, unowned } = this.#options
    for (const name of await unowned.since(youngest)) {
      this.#signal.throwIfAborted()
      await this.#discard('staged', { name, size: 0 }, () => store.discard(name))
      this.#look(1)
    }
  }

  async #discard(
    kind: 'strays' | 'staged',
    { name, size }: { readonly name: string; readonly size: number },
    remove: () => Promise<void>,
  ): Promise<void> {
    const { log } = this.#options
    try {
      if (!this.#isDry) await remove()
      this.#counts[kind] += 1
      this.#counts.freedBytes += size
      if (!this.#isDry) log.info({ name, size }, 'what a crash had left was removed')
    } catch (error) {
      this.#counts.failed += 1
      log.error({ err: error, name }, 'what a crash has left could not be removed')
    }
  }

  #freed({ blobs, bytes, failed }: Freed): void {
    this.#counts.removed += blobs
    this.#counts.freedBytes += bytes
    this.#counts.failed += failed
    this.#failedInVain = blobs > 0 ? 0 : this.#failedInVain + failed
    if (this.#failedInVain < hopeless) return
    throw new Outage(
      'STORAGE_UNAVAILABLE',
      `the storage has refused to remove ${this.#failedInVain} blobs one after the other; the log says why`,
    )
  }

  #enter(phase: Phase): void {
    this.#phase = phase
    this.#looked = 0
    this.#look(0)
  }

  /** What it came to is told of the blobs, not of the last phase. */
  #end(): void {
    this.#phase = 'done'
    this.#looked = this.#total ?? 0
    this.#look(0)
  }

  #look(count: number): void {
    this.#looked += count
    this.#report({
      phase: this.#phase,
      looked: this.#looked,
      ...(this.#total !== null && { total: this.#total }),
      ...this.#counts,
      ...(this.#warning !== '' && { warning: this.#warning }),
    })
  }
}

function wouldFree(blobs: readonly Blob[]): Freed {
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0)
  return { blobs: blobs.length, bytes, failed: 0 }
}
