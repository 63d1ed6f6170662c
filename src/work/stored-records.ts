import { buffer } from 'node:stream/consumers'
import type { Manifest, Reference } from '../catalog/manifests.ts'
import type { Sized } from '../catalog/restoration.ts'
import { Failure } from '../errors.ts'
import { algorithmOf, digestOf, parseDigest, type Digest } from '../image/digest.ts'
import { readManifest } from '../image/document.ts'
import { nameProblem } from '../image/name.ts'
import type { Stored } from '../image/stored.ts'
import { readManifestFacts } from '../pack/manifest.ts'
import { layerSize } from '../pack/tar-frame.ts'
import type { Store } from '../store/store.ts'
import { placeOf, readTagRecord, type ImageRecord, type TagRecord } from './tag-record.ts'

/** One record of the store, with what its manifest says. */
export type Stated = {
  readonly repository: string
  /** Null for a record of a manifest. */
  readonly tag: string | null
  readonly manifest: Manifest
  /** What the manifest needs; null when its bytes are not here, or are other ones. */
  readonly needs: readonly Sized[] | null
  readonly reference: Reference | null
  /** Of an image. */
  readonly image: StatedImage | null
}

export type StatedImage = ImageRecord & {
  readonly name: string
  /** Null when neither the record nor the manifest tells. */
  readonly stored: Stored | null
}

/** A record that nothing can be made of. */
export type Unreadable = { readonly key: string; readonly problem: string }

/**
 * Reads a record, and its manifest where the record does not tell enough. Of larger blobs nothing is read.
 * @returns null for what is gone by now, or is none of a repository's
 */
export async function readRecord(
  key: string,
  store: Store,
  signal: AbortSignal,
): Promise<Stated | Unreadable | null> {
  if (key.startsWith('_')) return null
  const place = placeOf(key)
  if (!place) return { key, problem: 'its name is none of a tag or manifest' }
  const bytes = await store.records.read(key)
  if (!bytes) return null
  const record = readTagRecord(bytes)
  if (!record) return { key, problem: 'it is damaged' }
  try {
    return { ...place, ...(await stated(place.repository, record, store, signal)) }
  } catch (error) {
    if (error instanceof Failure && error.row.kind === 'refusal') {
      return { key, problem: error.message }
    }
    throw error
  }
}

async function stated(
  repository: string,
  { manifest: { digest, ...rest }, image }: TagRecord,
  store: Store,
  signal: AbortSignal,
): Promise<Omit<Stated, 'repository' | 'tag'>> {
  const manifest = { ...rest, digest: parseDigest(digest) }
  const name = nameOf(repository)
  if (image && name !== null) {
    const stored = image.status?.stored ?? (await storedOf(image, manifest, store, signal))
    const needs = stored && [sized(stored.config), sized(stored.layer)]
    return { manifest, needs, reference: null, image: { ...image, name, stored } }
  }
  const bytes = await bytesOf(manifest, store, signal)
  if (!bytes) return { manifest, needs: null, reference: null, image: null }
  const { needs, subject, artifactType, annotations } = readManifest(bytes, manifest.mediaType)
  const reference = subject && { subject, artifactType, annotations }
  return { manifest, needs, reference, image: null }
}

function nameOf(repository: string): string | null {
  const [, name] = /^cvi\/(.+)$/.exec(repository) ?? []
  return name === undefined || nameProblem(name) !== null ? null : name
}

function sized({ digest, size }: { digest: string; size: number }): Sized {
  return { digest: parseDigest(digest), size }
}

/** A manifest's bytes; null when they are not here, or not those that its digest stands for. */
async function bytesOf(
  { digest, size }: Manifest,
  store: Store,
  signal: AbortSignal,
): Promise<Buffer | null> {
  const bytes = await readWhole(digest, size, store, signal)
  return bytes && digestOf(bytes, algorithmOf(digest)) === digest ? bytes : null
}

async function readWhole(digest: Digest, size: number, store: Store, signal: AbortSignal) {
  try {
    await using opened = await store.open(digest, { start: 0, end: size - 1 }, signal)
    return await buffer(opened.stream())
  } catch (error) {
    // Not here, or shorter than it has to be.
    if (error instanceof Failure && error.code === 'BLOB_UNKNOWN') return null
    if ((await store.stat(digest))?.size !== size) return null
    throw error
  }
}

/** What became of an image's bytes, as its manifest tells it: for records of earlier versions. */
async function storedOf(
  { dataSource }: ImageRecord,
  manifest: Manifest,
  store: Store,
  signal: AbortSignal,
): Promise<Stored | null> {
  const bytes = await bytesOf(manifest, store, signal)
  if (!bytes) return null
  const { config, layer, disk, facts, source } = readManifestFacts(bytes)
  const { location, etag, lastModified, resolved, ...came } = source
  const platform = dataSource.containerImage?.platform
  const isUrl = location !== null && /^https?:\/\//.test(location)
  return {
    ...facts,
    layer: { digest: layer, size: layerSize(disk.size) },
    disk,
    config,
    manifest,
    source: {
      ...(location !== null && (isUrl ? { url: location } : { image: location })),
      ...(resolved !== null && { digest: resolved }),
      ...(platform !== undefined && { platform }),
      ...(etag !== null && { etag }),
      ...(lastModified !== null && { lastModified }),
      ...came,
    },
  }
}
