import type { Tables } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import { parseDigest, type Digest } from '../image/digest.ts'
import type { Stored } from '../image/stored.ts'

/** Images that one transaction looks at. */
const handful = 100

/** In this order they are looked at: what is told of an image is the first of them that is not sound. */
const parts = ['layer', 'config', 'manifest'] as const

/**
 * Makes images ImageLost or Ready again, by what the catalog knows of their blobs: the one place that does. Images in other
 * phases are left alone. To be called in a transaction.
 */
export async function settle(images: readonly Image[], tables: Tables): Promise<void> {
  const settled = images.filter(({ phase }) => phase === 'Ready' || phase === 'ImageLost')
  const digests = settled.flatMap(({ stored }) => (stored ? blobsOf(stored) : []))
  const faults = await tables.damages.faults(digests)
  for (const image of settled) {
    if (image.stored) await settleOne(image, faultOf(image.stored, faults), tables)
  }
}

/** Everything that a Ready image needs. */
export function blobsOf(stored: Pick<Stored, 'layer' | 'config' | 'manifest'>): readonly Digest[] {
  return parts.map((part) => parseDigest(stored[part].digest))
}

/** A blob and, where it is the layer of an image, the disk that it has to hold. */
export async function expectedOf<Blob extends { readonly digest: Digest }>(
  blob: Blob,
  { damages, images }: Pick<Tables, 'damages' | 'images'>,
) {
  const [name] = await damages.imagesOf(blob.digest, '', 1)
  const stored = name === undefined ? null : (await images.byName(name))?.stored
  if (stored?.layer.digest !== blob.digest) return { ...blob, disk: null }
  return { ...blob, disk: { format: stored.format, size: stored.disk.size } }
}

/**
 * As `settle`, for the images that are made of a blob and come after a name.
 * @returns the name after which there may be more, null when there are none
 */
export async function settleThose(
  digest: Digest,
  after: string,
  tables: Tables,
): Promise<string | null> {
  const names = await tables.damages.imagesOf(digest, after, handful)
  const found = await Promise.all(names.map((name) => tables.images.byName(name)))
  await settle(
    found.filter((image) => image !== null),
    tables,
  )
  return names.length < handful ? null : (names.at(-1) ?? null)
}

/**
 * Bytes of a blob have just been put in their place: they are sound, and images that were lost without them are Ready again;
 * of very many the first, and the others once this is committed (`Checkup`). To be called in the transaction that makes
 * the blob readable.
 * @returns false when nobody has kept the blob
 */
export async function arrived(digest: Digest, tables: Tables): Promise<boolean> {
  const was = await tables.damages.written(digest)
  if (was === 'mended') await settleThose(digest, '', tables)
  return was !== 'gone'
}

function faultOf(stored: Stored, faults: ReadonlyMap<string, string>): string | null {
  for (const part of parts) {
    const { digest } = stored[part]
    const fault = faults.get(digest)
    if (fault !== undefined) return `the ${part} ${digest} of the image ${fault}`
  }
  return null
}

async function settleOne(
  image: Image,
  fault: string | null,
  { images, jobs }: Tables,
): Promise<void> {
  if (fault === null) {
    if (image.phase === 'Ready') return
    await images.change(image.uid, { phase: 'Ready', ready: { reason: 'Ready', message: '' } })
    // Images that refer to this one need not wait for their next attempt.
    return await jobs.hurryReferring(image.name)
  }
  const message = lostMessage(fault, image)
  if (image.phase === 'ImageLost' && image.ready.message === message) return
  await images.change(image.uid, { phase: 'ImageLost', ready: { reason: 'ImageLost', message } })
}

/** What is told of an image that is lost, with the way out. */
export function lostMessage(
  fault: string,
  { hadSecrets, secrets }: Pick<Image, 'hadSecrets' | 'secrets'>,
): string {
  const again =
    hadSecrets && !secrets
      ? 'delete the image and create it again with its credentials'
      : 'import it again with retry'
  return `${fault}; ${again}, or push the same bytes`
}
