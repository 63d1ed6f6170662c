import { Failure, Outage } from '../errors.ts'
import { algorithmOf, hexOf, type Digest } from '../image/digest.ts'
import { formatSize } from '../image/size.ts'
import { openDigester } from '../store/digester.ts'
import type { Staging, Stat, Store } from '../store/store.ts'

export type Copying = {
  readonly from: Store
  readonly to: Store
  /** Whether what the target has already is read again. */
  readonly verify: boolean
  /** Told of bytes that need not come any more: copied, or there already. */
  readonly onBytes: (count: number) => void
}

/** `gone`: it was deleted meanwhile. */
export type Outcome =
  | { readonly kind: 'copied' | 'present' | 'gone' }
  | { readonly kind: 'unreadable'; readonly reason: string }

/** What is staged for a blob is found again by its digest. */
const staged = 'copy-'

/** Kept free on the target, for its records. */
const reserve = 64 * 1024 * 1024

/**
 * Brings a blob to the target, verified: it is hashed on its way, and readable there only under the digest of what has come.
 * What was staged of it before is not read again from the source.
 * @throws Outage STORAGE_FULL when it does not fit; whatever the target fails with; the source's failure when all of it fails
 */
export async function copyBlob(
  blob: Stat,
  copying: Copying,
  signal: AbortSignal,
): Promise<Outcome> {
  const { to, verify, onBytes } = copying
  const there = await to.stat(blob.digest)
  if (there?.size === blob.size && !(verify && !(await isSound(blob.digest, to, signal)))) {
    onBytes(blob.size)
    return { kind: 'present' }
  }
  try {
    await bring(blob, copying, signal)
    return { kind: 'copied' }
  } catch (error) {
    signal.throwIfAborted()
    return await understood(error, blob.digest, copying, signal)
  }
}

/** Drops what is staged of blobs that are not copied any more. */
export async function dropStaged(to: Store): Promise<void> {
  for (const id of await to.staged()) if (id.startsWith(staged)) await to.discard(id)
}

/** The source could not be read. */
class Unreadable extends Error {}

async function understood(
  error: unknown,
  digest: Digest,
  { from }: Copying,
  signal: AbortSignal,
): Promise<Outcome> {
  if (isFailure(error, 'BLOB_UNKNOWN')) return { kind: 'gone' }
  if (isFailure(error, 'DIGEST_INVALID')) return { kind: 'unreadable', reason: error.message }
  if (!(error instanceof Unreadable)) throw error
  // When all of the source fails, going on would only call every blob unreadable.
  await from.probe(signal)
  // Others may delete in a bucket what is being read here.
  if (!(await from.stat(digest))) return { kind: 'gone' }
  return { kind: 'unreadable', reason: error.message }
}

function isFailure(error: unknown, code: Failure['code']): error is Failure {
  return error instanceof Failure && error.code === code
}

async function bring(blob: Stat, copying: Copying, signal: AbortSignal): Promise<void> {
  const id = `${staged}${algorithmOf(blob.digest)}-${hexOf(blob.digest)}`
  const algorithm = algorithmOf(blob.digest)
  const begun = await copying.to.resume(id, { algorithm, upTo: blob.size })
  if (begun) {
    const isRight = await goOn(begun, blob, copying, signal)
    if (isRight) return
  }
  await assertRoom(blob, copying.to)
  const anew = await copying.to.stage({ id, algorithm, size: blob.size })
  await fill(anew, blob, copying, signal)
}

/** False when what was staged before is not the start of the blob: then it comes anew. */
async function goOn(
  begun: Staging,
  blob: Stat,
  copying: Copying,
  signal: AbortSignal,
): Promise<boolean> {
  const before = begun.size
  copying.onBytes(before)
  try {
    await fill(begun, blob, copying, signal)
    return true
  } catch (error) {
    if (!isFailure(error, 'DIGEST_INVALID') || before === 0) throw error
    copying.onBytes(-blob.size)
    return false
  }
}

async function fill(
  staging: Staging,
  blob: Stat,
  copying: Copying,
  signal: AbortSignal,
): Promise<void> {
  try {
    if (staging.size < blob.size)
      await staging.append(rest(staging.size, blob, copying, signal), signal)
    await staging.publish(blob.digest)
  } catch (error) {
    await keep(staging)
    throw error
  }
}

/** What came is there for the next run; what was published or discarded is not touched by this. */
async function keep(staging: Staging): Promise<void> {
  try {
    await staging.flush()
  } finally {
    await staging.leave()
  }
}

async function* rest(
  start: number,
  { digest, size }: Stat,
  { from, onBytes }: Copying,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  await using opened = await openRest(digest, { start, end: size - 1 }, from, signal)
  const stream = opened.stream()[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await unreadable(stream.next(), digest)
      if (next.done === true) return
      if (!(next.value instanceof Uint8Array)) continue
      onBytes(next.value.length)
      yield next.value
    }
  } finally {
    await stream.return?.()
  }
}

async function openRest(
  digest: Digest,
  range: { readonly start: number; readonly end: number },
  from: Store,
  signal: AbortSignal,
) {
  const opening = from.open(digest, range, signal)
  return await opening.catch((error: unknown) => {
    if (isFailure(error, 'BLOB_UNKNOWN')) throw error
    return unreadable(Promise.reject(error), digest)
  })
}

async function unreadable<Value>(reading: Promise<Value>, digest: Digest): Promise<Value> {
  try {
    return await reading
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Unreadable(`${digest} cannot be read: ${why}`, { cause })
  }
}

async function isSound(digest: Digest, store: Store, signal: AbortSignal): Promise<boolean> {
  const algorithm = algorithmOf(digest)
  const digester = openDigester([algorithm])
  try {
    await using opened = await store.open(digest, null, signal)
    for await (const chunk of opened.stream()) await digester.update(chunk)
    return (await digester.finish())[algorithm] === hexOf(digest)
  } finally {
    digester.drop()
  }
}

async function assertRoom({ digest, size }: Stat, to: Store): Promise<void> {
  const free = await to.free()
  if (free === null || size + reserve <= free) return
  throw noRoom(`the blob ${digest} needs ${formatSize(size)}`, free)
}

/** @throws Outage STORAGE_FULL when the target has less room than what is missing there needs at least */
export async function assertRoomFor(missing: number, to: Store): Promise<void> {
  const free = await to.free()
  if (free === null || missing + reserve <= free) return
  throw noRoom(`${formatSize(missing)} are to be copied`, free)
}

function noRoom(what: string, free: number): Outage {
  return new Outage(
    'STORAGE_FULL',
    `${what}, but the target has only ${formatSize(Math.max(0, free - reserve))} left; enlarge it and run the command again`,
  )
}
