import type { Catalog, Tables } from '../catalog/catalog.ts'
import type { Examined } from '../catalog/damages.ts'
import type { Digest } from '../image/digest.ts'
import type { Log } from '../log.ts'
import type { ByteRange, Opened, Store } from '../store/store.ts'
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
  readonly #looking = new Map<Digest, Promise<void>>()
  readonly #closing = new AbortController()

  constructor(options: CheckupOptions) {
    this.#options = options
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
    if (this.#closing.signal.aborted || this.#looking.size >= most) return
    if (this.#looking.has(digest)) return
    const looking = this.#look(digest)
      .catch((error: unknown) => {
        this.#options.log.error({ err: error, digest }, 'a suspected blob could not be looked at')
      })
      .finally(() => this.#looking.delete(digest))
    this.#looking.set(digest, looking)
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

  /** Resolves when nothing is being looked at. */
  async idle(): Promise<void> {
    await Promise.all(this.#looking.values())
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

  /** The first images change with the blob; of very many the others follow, each handful in a transaction of its own. */
  async #change({ digest }: Examined, work: (tables: Tables) => Promise<boolean>) {
    const { catalog } = this.#options
    let after: string | null = null
    const isDone = await catalog.transaction(async (tables) => {
      if (!(await work(tables))) return false
      after = await settleThose(digest, '', tables)
      return true
    })
    while (after !== null) {
      const from: string = after
      after = await catalog.transaction((tables) => settleThose(digest, from, tables))
    }
    return isDone
  }
}
