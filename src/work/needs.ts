import type { Tables } from '../catalog/catalog.ts'
import { Refusal } from '../errors.ts'
import type { Digest } from '../image/digest.ts'
import type { Need } from '../image/document.ts'
import type { Stat, Store } from '../store/store.ts'

/** Files that are looked at at the same time. */
const abreast = 16

/**
 * Everything that a manifest names has to be in its repository, of the size that it says, and its bytes have to be there.
 * @param store null when the files need not be looked at again
 * @throws Refusal MANIFEST_BLOB_UNKNOWN with the digests that are missing; SIZE_INVALID
 */
export async function assertNeeds(
  repository: string,
  needs: readonly Need[],
  tables: Tables,
  store: Store | null,
): Promise<void> {
  const digests = (kind: Need['kind']) =>
    needs.filter((need) => need.kind === kind).map(({ digest }) => digest)
  const blobs = await tables.holdings.blobSizes(repository, digests('blob'))
  const manifests = await tables.manifests.sizes(repository, digests('manifest'))
  const sizeOf = ({ kind, digest }: Need) => (kind === 'blob' ? blobs : manifests).get(digest)
  const missing = needs.filter((need) => sizeOf(need) === undefined).map(({ digest }) => digest)
  if (missing.length > 0) throw unknown(missing)
  for (const need of needs) {
    const size = sizeOf(need)
    if (size !== need.size) throw otherSize(need, size ?? 0)
  }
  const damaged = store ? await damagedOf(needs, store) : []
  if (damaged.length > 0) throw unknown(damaged)
}

/** Whether the bytes are there, as many as there should be. */
export async function isWhole(blob: Stat, store: Store): Promise<boolean> {
  return (await store.stat(blob.digest))?.size === blob.size
}

async function damagedOf(needs: readonly Need[], store: Store): Promise<readonly Digest[]> {
  const all = [...new Map(needs.map((need) => [need.digest, need])).values()]
  const damaged: Digest[] = []
  for (let from = 0; from < all.length; from += abreast) {
    const some = all.slice(from, from + abreast)
    const whole = await Promise.all(some.map((need) => isWhole(need, store)))
    damaged.push(...some.filter((_, index) => !whole[index]).map(({ digest }) => digest))
  }
  return damaged
}

/** How many digests a message names. */
const mostNamed = 20

function unknown(digests: readonly Digest[]): Refusal {
  const named = [...new Set(digests)].slice(0, mostNamed)
  return new Refusal(
    'MANIFEST_BLOB_UNKNOWN',
    `the repository does not have ${named.join(', ')}${digests.length > mostNamed ? ' and more' : ''}, which the manifest needs; upload or mount it, then push the manifest again`,
    { fields: named.map((digest) => ({ path: digest, message: 'unknown' })) },
  )
}

function otherSize({ digest, size }: Need, found: number): Refusal {
  return new Refusal(
    'SIZE_INVALID',
    `the manifest says that ${digest} has ${size} bytes, but it has ${found}`,
  )
}
