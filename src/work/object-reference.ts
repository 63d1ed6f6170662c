import type { Catalog } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import { Outage } from '../errors.ts'
import { parseDigest } from '../image/digest.ts'
import type { Stored } from '../image/stored.ts'
import type { Collector } from './collect.ts'
import { leaseHolder, reserve } from './publish.ts'

/**
 * Another image of this service as a source: its blobs are kept for the new image, nothing is copied.
 * @throws Outage SOURCE_NOT_READY while the other image is not there or not Ready
 */
export async function borrow(
  image: Image,
  name: string,
  shelf: { readonly catalog: Catalog; readonly collector: Collector },
): Promise<Stored> {
  const other = await shelf.catalog.read.images.byName(name)
  if (!other) {
    throw notReady(`the image "${name}" does not exist; create it, or delete this image`)
  }
  if (other.phase !== 'Ready' || !other.stored) {
    throw notReady(`the image "${name}" is ${other.phase}; this image waits until it is Ready`)
  }
  const { layer, config, manifest } = other.stored
  const blobs = [layer, config, manifest].map(({ digest, size }) => ({
    digest: parseDigest(digest),
    size,
  }))
  await reserve(leaseHolder(image), blobs, shelf)
  const still = await shelf.catalog.read.images.byName(name)
  if (still?.uid === other.uid && still.phase === 'Ready') return other.stored
  throw notReady(`the image "${name}" was deleted just now`)
}

function notReady(message: string): Outage {
  return new Outage('SOURCE_NOT_READY', message)
}
