import { Readable } from 'node:stream'
import { Bug, Flaw } from '../errors.ts'
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
import { bindTo } from './body.ts'
import { frame } from './frame.ts'
import { Meter } from './meter.ts'
import type { Claim, Room } from './room.ts'

/** Bytes that are coming in, from wherever. */
export type Incoming = {
  readonly body: Readable
  /** Bytes of the whole body, null when the sender does not tell. */
  readonly size: number | null
  readonly checksums: Checksums
  /** Told of received bytes, as they were sent. */
  readonly onBytes: (count: number) => void
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
 * afterwards.
 * @throws Flaw when the bytes are bad; Refusal TOO_LARGE; Outage STORAGE_FULL; whatever the body fails with
 */
export async function ingest<Kept>(
  incoming: Incoming,
  station: Station,
  keep: (ingested: Ingested) => Promise<Kept>,
  signal: AbortSignal,
): Promise<Kept> {
  const { checksums } = incoming
  bindTo(signal, incoming.body)
  try {
    using claim = await station.room.claim(incoming.size)
    const { head, body } = await peek(incoming.body)
    using opened = isWrapped(head)
      ? await openWrapped({ ...incoming, body }, station, claim, signal)
      : openPlain({ ...incoming, body }, station, claim)
    await using staging = await station.store.stage({ amended: opened.size === null })
    const inspection = new Inspection(station.limits, opened.size)
    const { size, facts } = await frame({ ...opened, inspection }, staging, signal)
    const ofDisk = await opened.digester.finish()
    const ofSource = opened.outer ? await opened.outer.finish() : ofDisk
    compare(ofSource, checksums)
    const layer = await staging.seal(signal)
    const surveyed = await survey(facts.format, diskIn(staging, size), signal)
    const source = { bytes: opened.received(), sha256: sha256(ofSource) }
    return await keep({
      staging,
      layer,
      disk: { digest: sha256(ofDisk), size },
      facts: { ...facts, ...surveyed },
      source,
    })
  } finally {
    incoming.body.destroy()
  }
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
function openPlain(incoming: Incoming, { room }: Station, claim: Claim): Opened {
  const digester = openDigester(algorithms(incoming.checksums))
  const meter = new Meter(incoming, room, claim)
  return {
    bytes: meter.of(incoming.body),
    size: incoming.size,
    digester,
    outer: null,
    received: () => meter.received,
    [Symbol.dispose]: () => digester.drop(),
  }
}

/** The disk is inside what was sent. A decoder is slower than a hash, so the outer hash stays on this thread. */
async function openWrapped(
  incoming: Incoming,
  { room, limits }: Station,
  claim: Claim,
  signal: AbortSignal,
): Promise<Opened> {
  const outer = openLocalDigester(algorithms(incoming.checksums))
  const meter = new Meter(incoming, room, null)
  const sent = Readable.from(hashed(meter.of(incoming.body), outer), { objectMode: false })
  const { body } = await unwrap(sent, { maxOutput: limits.maxImageSize }, signal)
  const digester = openDigester(['sha256'])
  return {
    bytes: new Meter({ size: null, onBytes: () => {} }, room, claim).of(body),
    size: null,
    digester,
    outer,
    received: () => meter.received,
    [Symbol.dispose]: () => {
      body.destroy()
      digester.drop()
    },
  }
}

async function* hashed(bytes: AsyncIterable<Uint8Array>, digester: Digester) {
  for await (const chunk of bytes) {
    await digester.update(chunk)
    yield chunk
  }
}

function algorithms(checksums: Checksums): readonly ChecksumAlgorithm[] {
  return [...new Set(['sha256' as const, ...expected(checksums).map(([algorithm]) => algorithm)])]
}

const known = ['md5', 'sha1', 'sha256', 'sha512'] as const

function expected(checksums: Checksums): readonly (readonly [ChecksumAlgorithm, string])[] {
  return known.flatMap((algorithm) => {
    const hex = checksums[algorithm]
    return hex === undefined ? [] : [[algorithm, hex] as const]
  })
}

function compare(found: Hashes, checksums: Checksums): void {
  for (const [algorithm, hex] of expected(checksums)) {
    if (found[algorithm] === hex) continue
    throw new Flaw(
      'CHECKSUM_MISMATCH',
      `${algorithm} of the source is ${found[algorithm]}, expected ${hex}; check the file and the checksum, then create the image again`,
    )
  }
}

function sha256(hashes: Hashes): Digest {
  const digest = `sha256:${hashes.sha256}`
  if (isDigest(digest)) return digest
  throw new Bug('a transfer was not hashed')
}
