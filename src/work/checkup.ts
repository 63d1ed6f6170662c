import type { Catalog, Tables } from '../catalog/catalog.ts'
import type { Examined } from '../catalog/damages.ts'
import type { Digest } from '../image/digest.ts'
import type { Log } from '../log.ts'
import type { ByteRange, Opened, Store } from '../store/store.ts'
import { InTurn } from '../store/in-turn.ts'
import { paced } from './pace.ts'
import { absenceOf, proofRead, type Fault } from './proof-read.ts'
import { settleThose } from './soundness.ts'

export type CheckupOptions = {
  readonly catalog: Catalog
  readonly store: Store
  readonly log: Log
  /** Told of each damage that is new. */
  readonly onDamage?: (damage: { readonly digest: Digest; readonly fault: string }) => void
}

/** Blobs that are looked at at the same time because a reader has met something odd; others are met again. */
const most = 16

/** Bytes of a blob that is read to its end when it is suspected; every manifest is smaller. */
const small = 8 * 1024 * 1024

/**
 * Where damage is written down, and its end: the blob's row, and with it the images that are made of the blob. Readers open
 * blobs through it, so that what they find out is not forgotten.
 */
export class Checkup {
  readonly #options: CheckupOptions
  readonly #suspected = new Set<Digest>()
  readonly #running = new Set<Promise<void>>()
  readonly #inTurn = new InTurn()
  readonly #closing = new AbortController()

  constructor(options: CheckupOptions) {
    this.#options = options
    options.catalog.watchMended((digest) => {
      const settle = () => this.#run(digest, () => this.#settleAfter(digest, ''))
      this.#follow(this.#inTurn.run(digest, settle))
    })
  }

  /** As `Store.open`; a blob that cannot be opened is looked at. */
  async open(digest: Digest, range: ByteRange | null, signal: AbortSignal): Promise<Opened> {
    try {
      return await this.#options.store.open(digest, range, signal)
    } catch (error) {
      if (!signal.aborted) this.suspect(digest)
      throw error
    }
  }

  /** Looks, beside everything else, whether a blob is there and has its size; a small one is read to its end. */
  suspect(digest: Digest): void {
    if (this.#suspected.size >= most || this.#suspected.has(digest)) return
    this.#suspected.add(digest)
    const looking = this.#run(digest, () => this.#look(digest))
    this.#follow(looking.finally(() => this.#suspected.delete(digest)))
  }

  /**
   * Writes a fault down; images that are made of the blob are lost.
   * @returns false when its bytes are others by now, or nobody's
   */
  async tell(blob: Examined, { text }: Fault): Promise<boolean> {
    const { log, onDamage } = this.#options
    const isTold = await this.#change(blob, ({ damages }) => damages.tell(blob, text))
    if (!isTold || blob.damage !== null) return isTold
    log.error({ digest: blob.digest, fault: text }, 'a blob is damaged')
    onDamage?.({ digest: blob.digest, fault: text })
    return true
  }

  /** A damaged blob was found to be sound; images that were lost without it are Ready again. */
  async mend(blob: Examined): Promise<boolean> {
    const isMended = await this.#change(blob, ({ damages }) => damages.mend(blob))
    if (isMended) this.#options.log.info({ digest: blob.digest }, 'a damaged blob is sound again')
    return isMended
  }

  /** Resolves when nothing is being looked at or written down. */
  async idle(): Promise<void> {
    await Promise.all(this.#running)
  }

  async stop(): Promise<void> {
    this.#closing.abort(new DOMException('the service is about to end', 'AbortError'))
    await this.idle()
  }

  async #look(digest: Digest): Promise<void> {
    const { catalog, store } = this.#options
    const blob = await catalog.read.damages.byDigest(digest)
    if (!blob || blob.damage !== null) return
    const { signal } = this.#closing
    const fault = await (blob.size > small
      ? absenceOf(blob, store, signal)
      : proofRead(blob, store, paced(null), signal))
    // What the disk does not give is for the scrub to judge.
    if (fault && !fault.isUnread) await this.tell(blob, fault)
  }

  async #run(digest: Digest, work: () => Promise<void>): Promise<void> {
    try {
      if (!this.#closing.signal.aborted) await work()
    } catch (error) {
      this.#options.log.error({ err: error, digest }, 'what became of a blob was not written down')
    }
  }

  #follow(running: Promise<void>): void {
    this.#running.add(running)
    void running.finally(() => this.#running.delete(running))
  }

  /** The first images change with the blob; of very many the others follow, each handful in a transaction of its own. */
  async #change({ digest }: Examined, work: (tables: Tables) => Promise<boolean>) {
    const changed = await this.#options.catalog.transaction(async (tables) =>
      (await work(tables)) ? { after: await settleThose(digest, '', tables) } : null,
    )
    if (changed?.after) await this.#settleAfter(digest, changed.after)
    return changed !== null
  }

  async #settleAfter(digest: Digest, name: string): Promise<void> {
    const { catalog } = this.#options
    for (let after: string | null = name; after !== null;) {
      const from: string = after
      after = await catalog.transaction((tables) => settleThose(digest, from, tables))
    }
  }
}
