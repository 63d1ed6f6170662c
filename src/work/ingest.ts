import { Readable } from 'node:stream'
import { Bug } from '../errors.ts'
import type { Checksums } from '../image/data-source.ts'
import { isDigest, type ChecksumAlgorithm, type Digest } from '../image/digest.ts'
import type { Facts } from '../image/format.ts'
import { Inspection } from '../inspect/inspection.ts'
import { survey, type WholeFile } from '../inspect/survey.ts'
import { headSize } from '../pack/tar-frame.ts'
import { openDigester, openLocalDigester, type Digester, type Hashes } from '../store/digester.ts'
import type { Staging, Stat, Store } from '../store/store.ts'
import { peek } from '../unwrap/peek.ts'
import { isWrapped } from '../unwrap/table.ts'
import { unwrap } from '../unwrap/unwrap.ts'
import type { Arrival } from './arrival.ts'
import { bindTo } from './body.ts'
import { algorithmsOf, compare } from './checksums.ts'
import { frame } from './frame.ts'
import { untold, type Journey } from './journeys.ts'
import { Meter } from './meter.ts'
import type { Claim, Room } from './room.ts'

/** Bytes that are coming in, from wherever: what is behind those that are here already. */
export type Incoming = {
  readonly body: Readable
  /** Bytes of the whole, null when the sender does not tell. */
  readonly size: number | null
  readonly checksums: Checksums
  /** Told of received bytes, as they were sent. */
  readonly onBytes: (count: number) => void
  /** Is told of the stages. */
  readonly journey: Journey
}

export type Station = {
  readonly store: Store
  readonly room: Room
  /** Bytes; see `formats.md`. */
  readonly limits: { readonly maxImageSize: number; readonly maxVirtualSize: number }
}

/** A layer that is judged. */
export type Judged = {
  readonly layer: Stat
  readonly disk: { readonly digest: Digest; readonly size: number }
  readonly facts: Facts
  readonly source: { readonly bytes: number; readonly sha256: Digest }
}

/** Staged and judged, but nobody's yet. */
export type Ingested = Judged & { readonly staging: Staging }

/**
 * The journey of the bytes: hashed, unwrapped, judged and framed while they pass. What `keep` does not publish is gone
 * afterwards, unless a later transfer may go on from it.
 * @param arrival what is here of them already
 * @throws Flaw when the bytes are bad; Refusal TOO_LARGE; Outage STORAGE_FULL; whatever the body fails with
 */
export async function ingest<Kept>(
  incoming: Incoming,
  arrival: Arrival,
  station: Station,
  keep: (ingested: Ingested) => Promise<Kept>,
  signal: AbortSignal,
): Promise<Kept> {
  bindTo(signal, incoming.body)
  await using held = arrival
  try {
    return await takeIn(incoming, held, station, keep, signal)
  } catch (error) {
    await held.fail(signal.aborted ? signal.reason : error)
    throw error
  } finally {
    incoming.body.destroy()
  }
}

async function takeIn<Kept>(
  incoming: Incoming,
  arrival: Arrival,
  station: Station,
  keep: (ingested: Ingested) => Promise<Kept>,
  signal: AbortSignal,
): Promise<Kept> {
  const { checksums, size: whole, journey } = incoming
  using storing = journey.enter('store')
  const goesOn = { imageUid: arrival.id, staged: arrival.offset }
  using claim = await station.room.claim(whole === null ? null : whole - arrival.offset, goesOn)
  const { body, wrapped } = await recognised(incoming, arrival)
  using opened = wrapped
    ? await openWrapped({ ...incoming, body }, arrival, station, claim, signal)
    : openPlain({ ...incoming, body }, arrival.offset, station, claim)
  const staging = await arrival.layer(opened.size)
  const inspection = new Inspection(station.limits, opened.size, 'shown')
  const { size, facts } = await frame({ ...opened, inspection, journey }, staging, signal)
  const ofDisk = await opened.digester.finish()
  const ofSource = opened.outer ? await opened.outer.finish() : ofDisk
  compare(ofSource, checksums)
  const layer = await staging.seal(signal)
  const surveyed = await journey.during('inspect', () =>
    survey(facts.format, diskIn(staging, size), signal),
  )
  storing.leave()
  const source = { bytes: opened.received(), sha256: sha256(ofSource) }
  const disk = { digest: sha256(ofDisk), size }
  const ingested = { staging, layer, disk, facts: { ...facts, ...surveyed }, source }
  return await journey.during('commit', () => keep(ingested))
}

/** What is here tells whether it is wrapped; without anything the first bytes do. */
async function recognised({ body: sent, journey }: Incoming, { isWrapped: known }: Arrival) {
  if (known !== null) return { body: sent, wrapped: known }
  const { head, body } = await journey.during('fetch', () => peek(sent))
  return { body, wrapped: isWrapped(head) }
}

/** The disk within its staged layer. */
function diskIn(staging: Staging, size: number): WholeFile {
  return {
    size,
    read: (offset, length, signal) =>
      staging.read(headSize + offset, Math.min(length, size - offset), signal),
  }
}

type Opened = Disposable & {
  readonly bytes: AsyncIterable<Uint8Array>
  readonly size: number | null
  /** Sees the disk. */
  readonly digester: Digester
  /** Sees what was sent, where that is not the disk. */
  readonly outer: Digester | null
  /** Bytes as they were sent, so far. */
  readonly received: () => number
}

/** The disk is what was sent: one hash serves for both. */
function openPlain(incoming: Incoming, before: number, { room }: Station, claim: Claim): Opened {
  const digester = openDigester(algorithms(incoming.checksums))
  const meter = new Meter({ ...incoming, before }, room, claim)
  return {
    bytes: meter.of(incoming.body),
    size: incoming.size,
    digester,
    outer: null,
    received: () => before + meter.received,
    [Symbol.dispose]: () => digester.drop(),
  }
}

/**
 * The disk is inside what was sent, which is kept as it came beside what comes out. A decoder is slower than a hash, so the
 * outer hash stays on this thread.
 */
async function openWrapped(
  incoming: Incoming,
  arrival: Arrival,
  { room, limits }: Station,
  claim: Claim,
  signal: AbortSignal,
): Promise<Opened> {
  const outer = openLocalDigester(algorithms(incoming.checksums))
  const kept = await arrival.sent()
  const before = kept.size
  const meter = new Meter({ ...incoming, before }, room, null)
  const all = keptAnd(meter.of(incoming.body), kept, signal)
  const sent = Readable.from(hashed(all, outer), { objectMode: false })
  const { body } = await unwrap(sent, { maxOutput: limits.maxImageSize }, signal)
  const digester = openDigester(['sha256'])
  return {
    bytes: new Meter({ size: null, before: 0, onBytes: () => {}, journey: untold }, room, claim).of(
      body,
    ),
    size: null,
    digester,
    outer,
    received: () => before + meter.received,
    [Symbol.dispose]: () => {
      body.destroy()
      digester.drop()
    },
  }
}

/** Enough for a decoder to be the bottleneck. */
const pieceSize = 1024 * 1024

/** What was kept, then what comes, which is kept before it goes on. */
async function* keptAnd(coming: AsyncIterable<Uint8Array>, kept: Staging, signal: AbortSignal) {
  const { size } = kept
  for (let at = 0; at < size; at += pieceSize) yield await kept.read(at, pieceSize, signal)
  for await (const chunk of coming) {
    await kept.append([chunk], signal)
    yield chunk
  }
}

async function* hashed(bytes: AsyncIterable<Uint8Array>, digester: Digester) {
  for await (const chunk of bytes) {
    await digester.update(chunk)
    yield chunk
  }
}

function algorithms(checksums: Checksums): readonly ChecksumAlgorithm[] {
  return [...new Set(['sha256' as const, ...algorithmsOf(checksums)])]
}

function sha256(hashes: Hashes): Digest {
  const digest = `sha256:${hashes.sha256}`
  if (isDigest(digest)) return digest
  throw new Bug('a transfer was not hashed')
}
