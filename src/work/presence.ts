import { setTimeout as pause } from 'node:timers/promises'
import type { Catalog } from '../catalog/catalog.ts'
import type { Examined } from '../catalog/damages.ts'
import type { Image } from '../catalog/images.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import type { Checkup } from './checkup.ts'
import { paced, Steps } from './pace.ts'
import { absenceOf, proofRead } from './proof-read.ts'
import { blobsOf, expectedOf, settle } from './soundness.ts'

export type PresenceOptions = {
  readonly catalog: Catalog
  readonly store: Store
  readonly checkup: Checkup
  /** Bytes a second at which damaged blobs are read again; null for no limit. */
  readonly rate: number | null
  readonly log: Log
}

/** Images that are looked at together. */
const page = 100
/** Blobs whose presence is asked for each second: 100 000 images take ten minutes, and nobody notices. */
const perSecond = 500
const abreast = 8
/** How long to wait for a store that cannot tell, in milliseconds. */
const again = 60_000

/**
 * Looks once, after a start, whether what Ready and lost images are made of is there and has its size; damaged blobs that have
 * it again are read to their end. While the store cannot tell, nothing is concluded, and it is asked again later.
 */
export async function lookOver(options: PresenceOptions, signal: AbortSignal): Promise<void> {
  const steps = new Steps(perSecond)
  await inPages((after) =>
    patiently(() => imagesAfter(after, steps, options, signal), options, signal),
  )
  await inPages((after) => patiently(() => damagedAfter(after, options, signal), options, signal))
}

/** From one page to the next, by the name with which each ends. */
async function inPages(look: (after: string) => Promise<string | null>): Promise<void> {
  for (let after: string | null = ''; after !== null;) after = await look(after)
}

async function patiently<Value>(
  work: () => Promise<Value>,
  { log }: PresenceOptions,
  signal: AbortSignal,
): Promise<Value> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      log.error({ err: error }, 'the store cannot be looked over at present; it is tried again')
    }
    await pause(again, undefined, { signal, ref: false })
  }
}

async function imagesAfter(
  after: string,
  steps: Steps,
  options: PresenceOptions,
  signal: AbortSignal,
): Promise<string | null> {
  const { catalog } = options
  const filter = { limit: page, after, phase: null, format: null, cdrom: null }
  const images = await catalog.read.images.list(filter)
  const looked = images.filter(isLookedAt)
  const digests = [...new Set(looked.flatMap(({ stored }) => (stored ? blobsOf(stored) : [])))]
  const blobs = await catalog.read.damages.those(digests)
  for (let from = 0; from < blobs.length; from += abreast) {
    const some = blobs.slice(from, from + abreast)
    await steps.take(some.length, signal)
    await Promise.all(some.map((blob) => look(blob, options, signal)))
  }
  await settleAnew(looked, catalog)
  return images.length < page ? null : (images.at(-1)?.name ?? null)
}

function isLookedAt({ phase }: Image): boolean {
  return phase === 'Ready' || phase === 'ImageLost'
}

async function look(blob: Examined, { store, checkup }: PresenceOptions, signal: AbortSignal) {
  const fault = await absenceOf(blob, store, signal)
  // What has its size is not sound for that alone, and what the disk does not give is for the scrub to judge.
  if (fault && !fault.isUnread && fault.text !== blob.damage) await checkup.tell(blob, fault)
}

/** What a crash has kept from being written down, or a catalog that lost a blob. */
async function settleAnew(looked: readonly Image[], catalog: Catalog): Promise<void> {
  const { read } = catalog
  const digests = looked.flatMap(({ stored }) => (stored ? blobsOf(stored) : []))
  const faults = await read.damages.faults(digests)
  const isWrong = ({ phase, stored }: Image) => {
    const isLost = stored !== null && blobsOf(stored).some((digest) => faults.has(digest))
    return isLost !== (phase === 'ImageLost')
  }
  const wrong = looked.filter(isWrong)
  if (wrong.length === 0) return
  await catalog.transaction(async (tables) => {
    const now = await Promise.all(wrong.map(({ uid }) => tables.images.byUid(uid)))
    await settle(
      now.filter((image) => image !== null),
      tables,
    )
  })
}

/** The damaged ones, one at a time. */
async function damagedAfter(
  after: string,
  options: PresenceOptions,
  signal: AbortSignal,
): Promise<string | null> {
  const [blob] = await options.catalog.read.damages.damaged(after, 1)
  if (!blob) return null
  if (await isSoundAgain(blob, options, signal)) await options.checkup.mend(blob)
  return blob.digest
}

async function isSoundAgain(
  blob: Examined,
  { catalog, store, rate }: PresenceOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const expected = await expectedOf(blob, catalog.read)
  return (await proofRead(expected, store, paced(rate), signal)) === null
}
