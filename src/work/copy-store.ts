import { buffer } from 'node:stream/consumers'
import { z } from 'zod'
import { Failure } from '../errors.ts'
import { isDigest, type Digest } from '../image/digest.ts'
import { readManifest } from '../image/document.ts'
import type { Store } from '../store/store.ts'
import { assertRoomFor, copyBlob, dropStaged, type Copying } from './copy-blob.ts'
import { beginCopy, endCopy, originalAt, ownRecords, type Original } from './copy-mark.ts'
import { InTurn } from '../store/in-turn.ts'
import { eachOf } from './each-of.ts'

export type StoreCopying = {
  readonly from: Store
  readonly to: Store
  /** What the source is called, for people and for the target's mark. */
  readonly place: string
  /** Whether what the target has already is read again. */
  readonly verify: boolean
  /** Whether the target may be an older state of the same store. */
  readonly replaces: boolean
  readonly onProgress: (progress: CopyProgress) => void
  /** Told of each blob and each record that could not be copied. */
  readonly onProblem: (problem: string) => void
}

/** Numbers so far. `total` is what the source held at the start, in bytes. */
export type CopyProgress = { readonly bytes: number; readonly total: number } & CopyCounts

/** `present` were there already, `gone` were deleted meanwhile, `unreadable` are damaged in the source. */
export type CopyCounts = {
  readonly copied: number
  readonly present: number
  readonly gone: number
  readonly unreadable: number
  /** Records that were written; those that were there and the same do not count. */
  readonly records: number
  /** Records that the source has no more. */
  readonly removed: number
  /** Records that were left out, because what they name could not be copied. */
  readonly leftOut: number
}

/** Blobs or records at a time: enough to hide a store's latency, few enough for memory and disks. */
const atOnce = 4
const recordsAtOnce = 16

/**
 * Makes the target hold what the source holds: blobs first, records last, so that no record is there before what it names.
 * The source may be served meanwhile; a further run brings what came since.
 * @throws Refusal when the target holds other images; Outage when one of the stores fails
 */
export async function copyStore(options: StoreCopying, signal: AbortSignal): Promise<CopyCounts> {
  const { from, to, place, replaces } = options
  const original = await originalAt(place, from.records)
  await beginCopy(to, original, replaces)
  const copy = new StoreCopy(options, await sizeOf(from, signal))
  await assertRoomFor(copy.total - (await sizeOf(to, signal)), to)
  return await copy.run(original, signal)
}

async function sizeOf(store: Store, signal: AbortSignal): Promise<number> {
  let total = 0
  for await (const { size } of store.list()) {
    signal.throwIfAborted()
    total += size
  }
  return total
}

class StoreCopy {
  readonly #options: StoreCopying
  readonly #copying: Copying
  readonly #counts = {
    copied: 0,
    present: 0,
    gone: 0,
    unreadable: 0,
    records: 0,
    removed: 0,
    leftOut: 0,
  }
  readonly #unreadable = new Set<Digest>()
  readonly #inTurn = new InTurn()
  readonly total: number
  #bytes = 0

  constructor(options: StoreCopying, total: number) {
    this.#options = options
    this.total = total
    const { from, to, verify } = options
    this.#copying = { from, to, verify, onBytes: (count) => this.#count(count) }
  }

  async run(original: Original, signal: AbortSignal): Promise<CopyCounts> {
    const { from, to } = this.#options
    const blob = (digest: Digest, within: AbortSignal) => this.#blob(digest, this.#copying, within)
    await eachOf(from.list(), atOnce, ({ digest }, within) => blob(digest, within), signal)
    const { records } = from
    const keys = records.list('')
    await eachOf(keys, recordsAtOnce, (key, within) => this.#record(key, within), signal)
    await eachOf(to.records.list(''), recordsAtOnce, (key) => this.#removeRecord(key), signal)
    await dropStaged(to)
    await endCopy(to, original, from)
    return this.#counts
  }

  async #blob(digest: Digest, copying: Copying, signal: AbortSignal): Promise<void> {
    const blob = await copying.from.stat(digest)
    const outcome = blob ? await copyBlob(blob, copying, signal) : ({ kind: 'gone' } as const)
    this.#counts[outcome.kind] += 1
    if (outcome.kind === 'unreadable') {
      this.#unreadable.add(digest)
      this.#options.onProblem(`the blob ${digest} is not copied: ${outcome.reason}`)
    }
    this.#tell()
  }

  async #record(key: string, signal: AbortSignal): Promise<void> {
    const { from, to } = this.#options
    if (key.startsWith(ownRecords)) return
    const bytes = await from.records.read(key)
    if (!bytes) return
    const there = await to.records.read(key)
    if (there && Buffer.compare(there, bytes) === 0) return
    const missing = await this.#missing(bytes, signal)
    // What is missing may have been deleted together with the record.
    if (missing === null) return await this.#put(key, bytes)
    if (!(await from.records.read(key))) return
    this.#counts.leftOut += 1
    this.#options.onProblem(`the record ${key} is left out: ${missing} could not be copied`)
  }

  async #put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#options.to.records.put(key, bytes)
    this.#counts.records += 1
    this.#tell()
  }

  async #removeRecord(key: string): Promise<void> {
    const { from, to } = this.#options
    if (key.startsWith(ownRecords) || (await from.records.read(key))) return
    await to.records.remove(key)
    this.#counts.removed += 1
    this.#tell()
  }

  /** Brings what came after the blobs had been listed; null when all that a record names is in the target. */
  async #missing(record: Uint8Array, signal: AbortSignal): Promise<Digest | null> {
    const named = namedBy(record)
    if (!named) return null
    if (!(await this.#has(named.digest, signal))) return named.digest
    const needs = await needsOf(named, this.#options.to, signal)
    if (!needs) return named.digest
    for (const { digest } of needs) if (!(await this.#has(digest, signal))) return digest
    return null
  }

  async #has(digest: Digest, signal: AbortSignal): Promise<boolean> {
    const { to } = this.#options
    if (await to.stat(digest)) return true
    // Other records may be missing the same one.
    return await this.#inTurn.run(digest, async () => {
      if (await to.stat(digest)) return true
      if (this.#unreadable.has(digest)) return false
      await this.#blob(digest, { ...this.#copying, onBytes: () => {} }, signal)
      return (await to.stat(digest)) !== null
    })
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    this.#tell()
  }

  #tell(): void {
    this.#options.onProgress({ bytes: this.#bytes, total: this.total, ...this.#counts })
  }
}

const recordSchema = z.object({
  manifest: z.object({ digest: z.string().refine(isDigest), mediaType: z.string() }),
})

type Named = { readonly digest: Digest; readonly mediaType: string }

/** The manifest that a tag's or a manifest's record names; null for a record of another kind. */
function namedBy(record: Uint8Array): Named | null {
  return recordSchema.safeParse(parsed(record)).data?.manifest ?? null
}

function parsed(record: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(record).toString())
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

/** Null when the target's manifest is none: it was damaged there, which reading everything again finds. */
async function needsOf({ digest, mediaType }: Named, store: Store, signal: AbortSignal) {
  const bytes = await readBlob(digest, store, signal)
  try {
    return readManifest(bytes, mediaType).needs
  } catch (error) {
    if (error instanceof Failure && error.code === 'MANIFEST_INVALID') return null
    throw error
  }
}

/** A manifest has at most 8 MiB. */
async function readBlob(digest: Digest, store: Store, signal: AbortSignal): Promise<Buffer> {
  await using opened = await store.open(digest, null, signal)
  return await buffer(opened.stream())
}
