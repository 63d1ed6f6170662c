import type { Blob } from '../catalog/blobs.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { Digest } from '../image/digest.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import { eachOf } from './each-of.ts'
import { pagesOfUnkept } from './unkept.ts'

/** How many are marked in one transaction: others wait for it. */
const handful = 200
/** How many are removed before their rows go: a push of the same blob waits for that. */
const fewer = 50
/** How many are removed at the same time: where each takes a request, one by one takes hours. */
const width = 8
/** Of what could not be removed so many are remembered for the next turn; the catalog has them all. */
const mostLeft = 1000

/** What a removal came to. `bytes` are those of the blobs that are gone, `failed` counts blobs that are not. */
export type Freed = { readonly blobs: number; readonly bytes: number; readonly failed: number }

export const nothingFreed: Freed = { blobs: 0, bytes: 0, failed: 0 }

type Page = { readonly freed: Freed; readonly last: string | null }

/** Candidates that share one turn. */
type Batch = { readonly candidates: Set<Digest>; readonly done: Promise<void> }

/**
 * Frees the bytes that nothing needs: marked in one transaction, removed from the store after it, forgotten last. One
 * removal runs at a time, so that a blob is never removed after somebody was told that it is gone.
 */
export class Collector {
  readonly #catalog: Catalog
  readonly #store: Store
  readonly #log: Log
  readonly #onFreed: (freed: Freed) => void
  #running: Promise<unknown> = Promise.resolve()
  #next: Batch | null = null
  readonly #left = new Set<Digest>()
  #isHurried = false

  /** @param onFreed is told of every removal */
  constructor(
    catalog: Catalog,
    store: Store,
    log: Log,
    onFreed: (freed: Freed) => void = () => {},
  ) {
    this.#catalog = catalog
    this.#store = store
    this.#log = log
    this.#onFreed = onFreed
  }

  /** Removes those of the candidates that nothing needs. Those who come while a removal runs share the next one. */
  async collect(candidates: readonly Digest[]): Promise<void> {
    if (candidates.length === 0) return
    this.#next ??= this.#gather()
    for (const digest of candidates) this.#next.candidates.add(digest)
    await this.#next.done
  }

  /** As `collect`, for whoever has done what he wanted and waits for nothing: what fails is logged, and tried again. */
  collectLater(candidates: readonly Digest[]): void {
    this.collect(candidates).catch((error: unknown) => {
      this.#log.error({ err: error }, 'what is left could not be removed; it is tried again')
    })
  }

  /** Ends what was kept for somebody who has failed, and removes it. What fails here is logged: the lease ends by itself. */
  async abandon(holder: string): Promise<void> {
    try {
      this.collectLater(await this.#catalog.transaction(({ blobs }) => blobs.endLeases(holder)))
    } catch (error) {
      this.#log.error({ err: error }, 'what was announced could not be let go')
    }
  }

  /** As `collect`, in a turn of its own, and tells what came of it. */
  async free(candidates: readonly Digest[]): Promise<Freed> {
    return await this.#inTurn(async () => await this.#removeAll(await this.#condemn(candidates)))
  }

  /** Removes blobs of the store, unless the catalog knows them by now. */
  async freeUnknown(found: readonly Blob[]): Promise<Freed> {
    return await this.#inTurn(async () => {
      const condemned = await this.#catalog.transaction(({ blobs }) => blobs.condemnUnknown(found))
      return await this.#removeAll(condemned)
    })
  }

  /** Finishes the deletions that a crash or a failure has left. */
  async finish(): Promise<Freed> {
    let freed = nothingFreed
    for (let after: string | null = ''; after !== null;) {
      const page: Page = await this.#inTurn(() => this.#finishSome(after ?? ''))
      freed = plus(freed, page.freed)
      after = this.#isHurried ? null : page.last
    }
    return freed
  }

  /**
   * Removes what a crash left: blobs that were announced and never used, and deletions that were not finished.
   * @param signal ends it between two removals, without an error
   */
  async sweep(signal: AbortSignal): Promise<void> {
    await this.finish()
    for await (const { unkept } of pagesOfUnkept(this.#catalog)) {
      if (signal.aborted) return
      if (unkept.length > 0) await this.free(unkept.map(({ digest }) => digest))
    }
  }

  /** From now on each removal ends after a few blobs; what is left waits for the next start. */
  hurry(): void {
    this.#isHurried = true
  }

  /** Resolves when no removal is under way. */
  async idle(): Promise<void> {
    await this.#running
  }

  /** Read and removed in one turn: later they may be somebody's again. */
  async #finishSome(after: string): Promise<Page> {
    const some = await this.#catalog.read.blobs.condemned(after, fewer)
    return { freed: await this.#removeAll(some), last: some.at(-1)?.digest ?? null }
  }

  #gather(): Batch {
    const candidates = new Set<Digest>()
    const done = this.#inTurn(async () => {
      this.#next = null
      await this.#removeAll(await this.#leftBefore())
      for (const some of slices([...candidates], handful)) {
        await this.#removeAll(await this.#condemn(some))
        if (this.#isHurried) return
      }
    })
    return { candidates, done }
  }

  async #condemn(candidates: readonly Digest[]): Promise<readonly Blob[]> {
    return await this.#catalog.transaction(({ blobs }) => blobs.condemn(candidates))
  }

  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#running.then(work)
    // Whoever comes next waits for the end, not for the success.
    this.#running = turn.catch(() => {})
    return await turn
  }

  async #removeAll(condemned: readonly Blob[]): Promise<Freed> {
    let freed = nothingFreed
    for (const some of slices(condemned, fewer)) {
      freed = plus(freed, await this.#removeSome(some))
      if (this.#isHurried) break
    }
    return freed
  }

  /** The row of a blob goes after its bytes, one transaction for several. One that fails holds up no other. */
  async #removeSome(some: readonly Blob[]): Promise<Freed> {
    const removed: Blob[] = []
    await eachOf(some, width, async (blob) => {
      if (await this.#removeBytes(blob)) removed.push(blob)
    })
    const isForgotten = removed.length > 0 && (await this.#forget(removed))
    for (const blob of some) this.#note(blob, isForgotten && removed.includes(blob))
    const gone = isForgotten ? removed : []
    const bytes = gone.reduce((sum, { size }) => sum + size, 0)
    const freed = { blobs: gone.length, bytes, failed: some.length - gone.length }
    this.#onFreed(freed)
    return freed
  }

  async #removeBytes({ digest }: Blob): Promise<boolean> {
    try {
      await this.#store.remove(digest)
      return true
    } catch (error) {
      this.#log.error({ err: error, digest }, 'a blob could not be removed; it is tried again')
      return false
    }
  }

  async #forget(removed: readonly Blob[]): Promise<boolean> {
    const digests = removed.map(({ digest }) => digest)
    try {
      await this.#catalog.transaction(({ blobs }) => blobs.forget(digests))
      this.#log.info({ digests }, 'blobs removed')
      return true
    } catch (error) {
      this.#log.error({ err: error }, 'removed blobs could not be forgotten; it is tried again')
      return false
    }
  }

  #note({ digest }: Blob, isGone: boolean): void {
    if (isGone) this.#left.delete(digest)
    else if (this.#left.size < mostLeft) this.#left.add(digest)
  }

  /** A few of what could not be removed before: no turn is held up by all of them. */
  async #leftBefore(): Promise<readonly Blob[]> {
    const some = [...this.#left].slice(0, fewer)
    if (some.length === 0) return []
    for (const digest of some) this.#left.delete(digest)
    return await this.#catalog.read.blobs.stillCondemned(some)
  }
}

function* slices<Value>(values: readonly Value[], size: number) {
  for (let from = 0; from < values.length; from += size) yield values.slice(from, from + size)
}

export function plus(one: Freed, other: Freed): Freed {
  return {
    blobs: one.blobs + other.blobs,
    bytes: one.bytes + other.bytes,
    failed: one.failed + other.failed,
  }
}
