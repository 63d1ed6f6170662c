import type { Catalog } from '../catalog/catalog.ts'
import type { Examined } from '../catalog/damages.ts'
import type { Facts } from '../catalog/maintenance-runs.ts'
import { Outage } from '../errors.ts'
import type { Digest } from '../image/digest.ts'
import type { Store } from '../store/store.ts'
import type { Checkup } from './checkup.ts'
import type { Errand, Task } from './maintenance.ts'
import { paced } from './pace.ts'
import { proofRead, type Fault, type Take } from './proof-read.ts'
import { expectedOf } from './soundness.ts'

export type ScrubOptions = {
  readonly catalog: Catalog
  readonly store: Store
  readonly checkup: Checkup
}

/** Rows that are read at once. */
const page = 100
/** So many blobs in a row that the disk does not give say that the disk is in trouble, not they. */
const mostUnread = 5

/**
 * Reads every blob again, one at a time in the order of their digests, and writes down which are damaged and which are sound
 * again. Nothing is ever deleted. A run that was interrupted goes on behind the last blob it was done with.
 *
 * Options: `rate`, bytes a second; without it as fast as the disk gives them. Progress: `after`, the digest it is done with;
 * `blobs` and `bytes` that were read, of `blobsInAll` and `bytesInAll`; `reading`, bytes of the blob at hand; `damaged` and
 * `mended`; `unread`, blobs that the store has failed to give while it gave others, and a `warning` that names the last of them.
 */
export function scrub(options: ScrubOptions): Task {
  return async (errand, signal) => await new Scrub(options, errand).run(signal)
}

type Held = { readonly blob: Examined; readonly fault: Fault }

class Scrub {
  readonly #options: ScrubOptions
  readonly #report: (progress: Facts) => void
  readonly #pass: Take
  readonly #count: {
    blobs: number
    bytes: number
    damaged: number
    mended: number
    unread: number
  }
  #after: string
  #inAll = { blobs: 0, bytes: 0 }
  #reading = 0
  /** Unread blobs, until another one shows that the disk can be read. */
  #held: Held[] = []
  #hasRead = false
  /** What the store has failed with since it last gave a blob. */
  #failures: Outage[] = []
  #warning = ''

  constructor(options: ScrubOptions, { options: { rate }, before, report }: Errand) {
    this.#options = options
    this.#report = report
    this.#pass = paced(typeof rate === 'number' ? rate : null)
    this.#after = typeof before['after'] === 'string' ? before['after'] : ''
    this.#count = {
      blobs: numberOf(before['blobs']),
      bytes: numberOf(before['bytes']),
      damaged: numberOf(before['damaged']),
      mended: numberOf(before['mended']),
      unread: numberOf(before['unread']),
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const { damages } = this.#options.catalog.read
    this.#inAll = await damages.total()
    for (let from = this.#after; ;) {
      const blobs = await damages.list(from, page)
      for (const blob of blobs) await this.#examine(blob, signal)
      const last = blobs.at(-1)
      if (!last) break
      from = last.digest
    }
    const [failure] = this.#hasRead ? [] : this.#failures
    if (failure) throw failure
    // Not one blob could be read.
    if (this.#held.length > 0 && !this.#hasRead) throw inTrouble(this.#held)
    await this.#release()
    this.#tell()
  }

  async #examine({ digest }: Examined, signal: AbortSignal): Promise<void> {
    const found = await this.#verdictOrFailure(digest, signal)
    this.#reading = 0
    if (found) {
      const { blob, fault } = found
      this.#count.blobs += 1
      this.#count.bytes += blob.size
      if (fault?.isUnread) return this.#hold({ blob, fault })
      await this.#conclude(blob, fault)
    }
    if (this.#held.length === 0) this.#after = digest
    this.#tell()
  }

  /** Null, too, where the store is there and fails with this blob alone: that says nothing about it, and holds up no other. */
  async #verdictOrFailure(digest: Digest, signal: AbortSignal) {
    try {
      return await this.#verdict(digest, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof Outage)) throw error
      await this.#options.store.probe(signal)
      if (this.#failures.push(error) >= mostUnread) throw error
      this.#count.unread += 1
      this.#warning = `${digest} could not be read: ${error.message}`
      return null
    }
  }

  /** A fault is looked for twice: the blob may have been deleted or pushed again while it was read. */
  async #verdict(digest: Digest, signal: AbortSignal) {
    const first = await this.#read(digest, signal)
    return first?.fault ? await this.#read(digest, signal) : first
  }

  async #read(digest: Digest, signal: AbortSignal) {
    const { catalog, store } = this.#options
    const blob = await catalog.read.damages.byDigest(digest)
    if (!blob) return null
    this.#reading = 0
    const take: Take = async (bytes, until) => {
      await this.#pass(bytes, until)
      this.#reading += bytes
      this.#tell()
    }
    return {
      blob,
      fault: await proofRead(await expectedOf(blob, catalog.read), store, take, signal),
    }
  }

  async #conclude(blob: Examined, fault: Fault | null): Promise<void> {
    const { checkup } = this.#options
    if (fault && (await checkup.tell(blob, fault))) this.#count.damaged += 1
    if (!fault && blob.damage !== null && (await checkup.mend(blob))) this.#count.mended += 1
    if (fault) return
    // One that was read to its end shows that the disk gives bytes.
    this.#hasRead = true
    this.#failures = []
    await this.#release()
  }

  #hold(held: Held): void {
    this.#held.push(held)
    if (this.#held.length >= mostUnread) throw inTrouble(this.#held)
  }

  async #release(): Promise<void> {
    const held = this.#held
    this.#held = []
    for (const { blob, fault } of held) {
      if (await this.#options.checkup.tell(blob, fault)) this.#count.damaged += 1
    }
  }

  #tell(): void {
    const { blobs, bytes } = this.#inAll
    this.#report({
      after: this.#after,
      ...this.#count,
      blobsInAll: blobs,
      bytesInAll: bytes,
      reading: this.#reading,
      ...(this.#warning !== '' && { warning: this.#warning }),
    })
  }
}

function inTrouble(held: readonly Held[]): Outage {
  const named = held.map(({ blob }) => blob.digest).join(', ')
  return new Outage(
    'STORAGE_UNAVAILABLE',
    `${held.length} blobs in a row cannot be read (${named}); look at the disk, then start the scrub again`,
  )
}

function numberOf(fact: Facts[string] | undefined): number {
  return typeof fact === 'number' ? fact : 0
}
