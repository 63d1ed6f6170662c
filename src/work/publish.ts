import type { Catalog, Tables } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import { Outage } from '../errors.ts'
import { algorithmOf, digestOf, parseDigest, type Digest } from '../image/digest.ts'
import { mediaTypes } from '../image/media-type.ts'
import { imageTag, repositoryOf } from '../image/name.ts'
import type { Stored } from '../image/stored.ts'
import { configBytes } from '../pack/config.ts'
import { manifestBytes } from '../pack/manifest.ts'
import type { SourceFacts } from '../source/source.ts'
import type { Stat, Store } from '../store/store.ts'
import type { Collector } from './collect.ts'
import type { Ingested, Judged } from './ingest.ts'
import { Stopped } from './active.ts'
import { forgetPublishing, notePublishing } from './publishing-note.ts'
import { arrived } from './soundness.ts'
import { tagKey, tagRecord } from './tag-record.ts'

/** From the first visible blob to the commit: three syncs and a transaction, on the slowest of disks. */
const leaseFor = 10 * 60_000

/** Tries to wait out the deletion of the very blob that has just come in again. */
const patience = 100

type Shelf = {
  readonly catalog: Catalog
  readonly store: Store
  readonly collector: Collector
  readonly now: () => number
}

/**
 * The last station: blobs, then the tag's record, then one transaction after which the image is Ready. A crash before
 * that transaction leaves leased blobs, which the next attempt uses or the sweep removes.
 * @returns the image, Ready
 */
export async function publish(
  image: Image,
  ingested: Ingested,
  facts: SourceFacts,
  shelf: Shelf,
  signal: AbortSignal,
): Promise<Image> {
  const { digest } = ingested.layer
  const place = async () => [(await ingested.staging.publish(digest)).digest]
  return await publishAs(image, ingested, place, facts, shelf, signal)
}

/** As `publish`, for a layer that is a blob already and leased. It has to be here still: a lease may have run out meanwhile. */
export async function publishShared(
  image: Image,
  judged: Judged,
  facts: SourceFacts,
  shelf: Shelf,
  signal: AbortSignal,
): Promise<Image> {
  const place = async () => {
    await assertHere(judged.layer, shelf.store)
    return []
  }
  return await publishAs(image, judged, place, facts, shelf, signal)
}

/** @throws Outage STORAGE_UNAVAILABLE when the bytes have gone */
async function assertHere({ digest, size }: Stat, store: Store): Promise<void> {
  if ((await store.stat(digest))?.size !== size) throw gone(digest)
}

async function publishAs(
  image: Image,
  judged: Judged,
  place: () => Promise<readonly Digest[]>,
  facts: SourceFacts,
  shelf: Shelf,
  signal: AbortSignal,
): Promise<Image> {
  const { stored, config, manifest } = artifactOf(judged, facts, shelf.now())
  const blobs = [stored.layer, stored.config, stored.manifest]
  await reserve(leaseHolder(image), blobs.map(reference), shelf, (tables) =>
    notePublishing(image, stored, tables),
  )
  for (const bytes of [config, manifest]) await put(bytes, shelf.store, signal)
  signal.throwIfAborted()
  const placed = [...(await place()), digestOf(config), digestOf(manifest)]
  // Whoever stops it now would lose all that has come, for two syncs.
  return await hang(image, { stored, placed }, shelf, AbortSignal.timeout(leaseFor))
}

/** Blobs of an image, and those of them whose bytes have just been put in their place. */
type Placed = { readonly stored: Stored; readonly placed: readonly Digest[] }

/** Puts an image's name on blobs that are there, leased. What it was made of before is freed. */
export async function hang(
  image: Image,
  placed: Placed,
  shelf: Shelf,
  signal: AbortSignal,
): Promise<Image> {
  signal.throwIfAborted()
  const { ready, left } = await commit(image, placed, shelf)
  shelf.collector.collectLater(left)
  return ready
}

/** @returns the image, Ready, and what it was made of before or was kept for it, which nothing may need now */
export async function commit(
  image: Image,
  { stored, placed }: Placed,
  shelf: Omit<Shelf, 'collector'>,
): Promise<{ readonly ready: Image; readonly left: readonly Digest[] }> {
  const at = shelf.now()
  await record(image, stored, at, shelf)
  return await shelf.catalog.transaction(async (tables) => {
    for (const digest of placed) if (!(await arrived(digest, tables))) throw gone(digest)
    const left = await link(image, stored, tables)
    const ready = await tables.images.change(image.uid, {
      at,
      phase: 'Ready',
      ready: { reason: 'Ready', message: '' },
      source: { reason: 'DatasourceReady', message: '' },
      nextRetryAt: null,
      secrets: null,
      stored,
    })
    if (!ready) throw new Stopped('deleted')
    return { ready, left }
  })
}

/** Writes beside the blobs what the catalog is about to say of the image. */
async function record(
  image: Image,
  stored: Stored,
  at: number,
  { catalog, store }: Pick<Shelf, 'catalog' | 'store'>,
): Promise<void> {
  const now = await catalog.read.images.byUid(image.uid)
  if (!now) throw new Stopped('deleted')
  const since = now.source.reason === 'DatasourceReady' ? now.source.since : at
  const ready = { ...now.ready, since: at }
  const source = { ...now.source, since }
  await store.records.put(
    tagKey(image.name, imageTag),
    tagRecord({ ...now, ready, source }, stored),
  )
}

/**
 * Keeps blobs for somebody who is about to need them, before their bytes are visible.
 * @param note in the same transaction
 */
export async function reserve(
  holder: string,
  blobs: readonly { digest: Digest; size: number }[],
  { catalog, collector }: Pick<Shelf, 'catalog' | 'collector'>,
  note: ((tables: Tables) => Promise<void>) | null = null,
): Promise<void> {
  const reserved = async (tables: Tables) => {
    if (!(await reserveAll(holder, blobs, tables))) return false
    await note?.(tables)
    return true
  }
  for (let tries = 0; tries < patience; tries += 1) {
    if (await catalog.transaction(reserved)) return
    await collector.idle()
    // A deletion that has failed, on a disk that did not work then, would only be tried again in minutes.
    if (tries > 0 && (await collector.finish()).failed > 0) break
  }
  throw new Outage('STORAGE_UNAVAILABLE', 'the same blob is being deleted; try again')
}

async function reserveAll(
  holder: string,
  blobs: readonly { digest: Digest; size: number }[],
  tables: Tables,
): Promise<boolean> {
  for (const blob of blobs) {
    if (!(await tables.blobs.reserve(blob, holder, leaseFor))) return false
  }
  return true
}

export function leaseHolder(image: Pick<Image, 'uid'>): string {
  return `image ${image.uid}`
}

/** @returns what was kept for the image by an earlier attempt, or was its own before it was lost, and is not needed now */
async function link(image: Image, stored: Stored, tables: Tables): Promise<readonly Digest[]> {
  const repository = repositoryOf(image.name)
  const manifest = { ...stored.manifest, digest: parseDigest(stored.manifest.digest) }
  const needs = [stored.config, stored.layer].map(({ digest }) => parseDigest(digest))
  for (const digest of [...needs, manifest.digest]) await assertKept(digest, tables)
  const before = await tables.manifests.removeAll(repository)
  await tables.manifests.put(repository, manifest, needs)
  await tables.manifests.tag(repository, imageTag, manifest.digest)
  const leased = await tables.blobs.endLeases(leaseHolder(image))
  await forgetPublishing(image.uid, tables)
  await tables.jobs.remove(image.uid)
  const upload = await tables.uploads.ofImage(image.uid, image.attempt)
  if (upload) await tables.uploads.change(upload.tokenHash, 'finished', null)
  const needed = new Set([...needs, manifest.digest])
  return [...before, ...leased].filter((digest) => !needed.has(digest))
}

/** A lease runs out when a disk takes minutes for a sync; the blob may have been removed then. */
async function assertKept(digest: Digest, { blobs }: Tables): Promise<void> {
  if ((await blobs.size(digest)) !== null) return
  throw gone(digest)
}

export function gone(digest: Digest): Outage {
  const message = `the storage took so long that ${digest} was given up; try again`
  return new Outage('STORAGE_UNAVAILABLE', message)
}

/** Stores a small blob that has been reserved. */
export async function put(
  bytes: Buffer,
  store: Store,
  signal: AbortSignal,
  digest = digestOf(bytes),
): Promise<void> {
  await using staging = await store.stage({ algorithm: algorithmOf(digest), size: bytes.length })
  await staging.append([bytes], signal)
  await staging.publish(digest)
}

function artifactOf(judged: Judged, from: SourceFacts, now: number) {
  const { layer, disk, facts, source } = judged
  const packed = { layer: layer.digest, disk, facts }
  const config = configBytes(packed, from.platform?.split('/')[1] ?? null)
  const configRef = reference({ digest: digestOf(config), size: config.length })
  const manifest = manifestBytes({
    ...packed,
    config: configRef,
    source: {
      ...source,
      location: from.url ?? from.image ?? null,
      etag: from.etag ?? null,
      lastModified: from.lastModified ?? null,
      resolved: from.digest ?? null,
    },
    created: createdAt(from.lastModified, now),
  })
  const stored: Stored = {
    ...facts,
    layer,
    disk,
    config: configRef,
    manifest: {
      digest: digestOf(manifest),
      size: manifest.length,
      mediaType: mediaTypes.manifest,
    },
    source: { ...from, ...source },
  }
  return { stored, config, manifest }
}

/** The source's own date where it gives a sound one, for two imports of one file to give one manifest. */
function createdAt(lastModified: string | undefined, now: number): Date {
  const date = new Date(lastModified ?? NaN)
  const year = date.getUTCFullYear()
  return year >= 1970 && year <= 9999 ? date : new Date(now)
}

function reference({ digest, size }: { digest: string; size: number }) {
  return { digest: parseDigest(digest), size }
}
