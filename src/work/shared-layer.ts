import { buffer } from 'node:stream/consumers'
import type { Catalog } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import { Bug } from '../errors.ts'
import { algorithmOf, isDigest, parseDigest, type Digest } from '../image/digest.ts'
import type { Stored } from '../image/stored.ts'
import { inspectSparsely } from '../inspect/sparse.ts'
import { survey, type WholeFile } from '../inspect/survey.ts'
import { headSize, layerTail, readLayerHead } from '../pack/tar-frame.ts'
import type { BlobPart } from '../source/registry/registry.ts'
import type { SourceFacts } from '../source/source.ts'
import { openDigester } from '../store/digester.ts'
import type { Store } from '../store/store.ts'
import { isWrapped } from '../unwrap/table.ts'
import { peekLength } from '../unwrap/unwrapper.ts'
import type { Collector } from './collect.ts'
import type { Judged, Station } from './ingest.ts'
import { leaseHolder, reserve } from './publish.ts'
import type { Room } from './room.ts'

export type SharedShelf = {
  readonly catalog: Catalog
  readonly store: Store
  readonly collector: Collector
  readonly station: Pick<Station, 'limits'> & { readonly room: Pick<Room, 'checkSize'> }
}

/** What an image is made of when its bytes are here already, leased. */
export type Shared = { readonly judged: Judged; readonly facts: SourceFacts }

/** Repositories that are looked through for an image on the same layer. */
const mostRepositories = 100

/**
 * A layer that is here already, in the shape in which images are kept, as the layer of another image: leased for this one,
 * and judged. Nothing is copied. Null when it is not here, or has another shape or another kind of digest.
 * @throws Flaw when its disk is refused; Refusal TOO_LARGE
 */
export async function shareLayer(
  image: Image,
  layer: BlobPart,
  shelf: SharedShelf,
  signal: AbortSignal,
): Promise<Judged | null> {
  const { catalog, station } = shelf
  // The same disk always has the same layer, by the one algorithm that layers of ours are named by.
  if (algorithmOf(layer.digest) !== 'sha256') return null
  if (!(await lease(image, layer, shelf))) return null
  const judged = (await known(layer, catalog)) ?? (await judge(layer, shelf, signal))
  if (judged) station.room.checkSize(judged.disk.size)
  return judged
}

/**
 * What became of another image's bytes, for an image that is to have the same ones: leased for it. Null when it is not here
 * any more, or is more than is taken now.
 */
export async function shareStored(
  image: Image,
  stored: Stored,
  shelf: SharedShelf,
): Promise<Judged | null> {
  if (!fits(stored, shelf.station.limits)) return null
  const layer = { digest: parseDigest(stored.layer.digest), size: stored.layer.size }
  if (!(await lease(image, layer, shelf))) return null
  const { bytes, sha256 } = stored.source
  return { ...ofStored(layer, stored), source: { bytes, sha256: parseDigest(sha256) } }
}

/** The limits may have been others when it came in. */
function fits({ disk, source, unpackedBytes }: Stored, limits: Station['limits']): boolean {
  const { maxImageSize, maxVirtualSize } = limits
  return Math.max(disk.size, source.bytes) <= maxImageSize && unpackedBytes <= maxVirtualSize
}

/** Keeps a blob that is here; false when it is not. */
async function lease(image: Image, layer: BlobPart, shelf: SharedShelf): Promise<boolean> {
  if ((await shelf.catalog.read.blobs.size(layer.digest)) !== layer.size) return false
  await reserve(leaseHolder(image), [layer], shelf)
  // It may have been on its way out when it was found.
  return (await shelf.store.stat(layer.digest))?.size === layer.size
}

/** What was found out about it when another image came in. */
async function known(layer: BlobPart, catalog: Catalog): Promise<Judged | null> {
  const { holdings, images } = catalog.read
  const repositories = await holdings.repositoriesWith(layer.digest, mostRepositories)
  for (const repository of repositories) {
    const [, name] = /^cvi\/(.+)$/.exec(repository) ?? []
    const other = name === undefined ? null : await images.byName(name)
    if (other?.stored?.layer.digest === layer.digest) return ofStored(layer, other.stored)
  }
  return null
}

function ofStored(layer: BlobPart, { disk, ...stored }: Stored): Judged {
  const { format, unpackedBytes, allocatedBytes, bootable, architecture, details } = stored
  const digest = parseDigest(disk.digest)
  return {
    layer,
    disk: { digest, size: disk.size },
    facts: { format, unpackedBytes, allocatedBytes, bootable, architecture, details },
    source: { bytes: disk.size, sha256: digest },
  }
}

/** Its bytes were verified when they were pushed; what disk they hold was not looked at yet. */
async function judge(
  layer: BlobPart,
  { store, station }: SharedShelf,
  signal: AbortSignal,
): Promise<Judged | null> {
  const whole = fileOf(layer, store)
  const head = readLayerHead(await whole.read(0, headSize, signal), layer.size)
  if (!head) return null
  const tail = layerTail(head.diskSize)
  const end = await whole.read(layer.size - tail.length, tail.length, signal)
  if (!end.equals(tail)) return null
  const disk = part(whole, headSize, head.diskSize)
  if (isWrapped(await disk.read(0, peekLength, signal))) return null
  const facts = await inspectSparsely(disk, station.limits, signal)
  // The head names another format than the bytes: importing it makes another layer.
  if (facts.format !== head.format) return null
  const surveyed = await survey(facts.format, disk, signal)
  const digest = await hash(layer, head.diskSize, store, signal)
  return {
    layer,
    disk: { digest, size: head.diskSize },
    facts: { ...facts, ...surveyed },
    source: { bytes: head.diskSize, sha256: digest },
  }
}

function fileOf({ digest, size }: BlobPart, store: Store): WholeFile {
  return {
    size,
    async read(offset, length, signal) {
      const end = Math.min(offset + length, size) - 1
      if (end < offset) return Buffer.alloc(0)
      await using opened = await store.open(digest, { start: offset, end }, signal)
      return await buffer(opened.stream())
    },
  }
}

function part(file: WholeFile, start: number, size: number): WholeFile {
  return {
    size,
    read: (offset, length, signal) =>
      file.read(start + offset, Math.max(0, Math.min(length, size - offset)), signal),
  }
}

async function hash(
  { digest }: BlobPart,
  diskSize: number,
  store: Store,
  signal: AbortSignal,
): Promise<Digest> {
  const digester = openDigester(['sha256'])
  try {
    const range = { start: headSize, end: headSize + diskSize - 1 }
    await using opened = await store.open(digest, range, signal)
    for await (const chunk of opened.stream()) await digester.update(chunk)
    const found = `sha256:${(await digester.finish()).sha256}`
    if (isDigest(found)) return found
    throw new Bug('a disk was not hashed')
  } finally {
    digester.drop()
  }
}
