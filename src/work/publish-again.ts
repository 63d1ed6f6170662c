import type { Catalog } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import type { Digest } from '../image/digest.ts'
import type { Stored } from '../image/stored.ts'
import type { Store } from '../store/store.ts'
import { Arrival } from './arrival.ts'
import { commit, leaseHolder } from './publish.ts'
import { notedOf } from './publishing-note.ts'
import { blobsOf } from './soundness.ts'

type Ground = { readonly catalog: Catalog; readonly store: Store; readonly now: () => number }

/**
 * Makes those images Ready whose blobs had all got to their place when the process before this one was killed: nothing of
 * theirs is staged any more, and all that was sent would have to be sent again.
 */
export async function publishAgain({ catalog, store, now }: Ground): Promise<void> {
  const staged = await store.staged()
  for (const image of await catalog.read.images.inPhase('Provisioning')) {
    // Bytes that have come in since belong to another transfer.
    if (staged.some((id) => Arrival.owns(image.uid, id))) continue
    const stored = await notedOf(image, catalog.read)
    if (!stored || !(await isHere(image, stored, { catalog, store }))) continue
    // What was leased beside it is swept after the start.
    await commit(image, { stored, placed: blobsOf(stored) }, { catalog, store, now })
  }
}

/** Whether every blob is in its place and still kept for the image: a transfer that failed has let go of them. */
async function isHere(
  image: Image,
  { layer, config, manifest }: Stored,
  { catalog, store }: Pick<Ground, 'catalog' | 'store'>,
): Promise<boolean> {
  const sizes = [layer, config, manifest].map(({ size }) => size)
  const digests: readonly Digest[] = blobsOf({ layer, config, manifest })
  for (const [index, digest] of digests.entries()) {
    if ((await catalog.read.leases.end(digest, leaseHolder(image))) === null) return false
    if ((await store.stat(digest))?.size !== sizes[index]) return false
  }
  return true
}
