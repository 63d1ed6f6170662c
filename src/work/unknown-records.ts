import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import type { Catalog } from '../catalog/catalog.ts'
import { isDigest, type Digest } from '../image/digest.ts'
import type { Store } from '../store/store.ts'
import { recordOf } from './tag-record.ts'

/** So many keys are looked up before everything else has its turn. */
const handful = 50

type Ground = { readonly catalog: Catalog; readonly store: Store }

/**
 * How many manifests, of those that the store's records name and the store has, the catalog knows nothing of: none, unless it
 * was lost or is an old one. What a crash between catalog and records leaves does not count: its manifest is known, or gone.
 * A tag that the catalog does not have, and whose record cannot be read, counts: nobody can tell what it needs.
 */
export async function countUnknownRecords(
  catalog: Catalog,
  store: Store,
  signal: AbortSignal,
): Promise<number> {
  const unknown = new Set<string>()
  let looked = 0
  for await (const key of store.records.list('')) {
    signal.throwIfAborted()
    const found = await unknownOf(key, { catalog, store })
    if (found !== null) unknown.add(found)
    looked += 1
    if (looked % handful === 0) await setImmediate()
  }
  return unknown.size
}

/** The manifest that a record names, or its key when it does not say; null when the catalog knows it or it is not here. */
async function unknownOf(key: string, { catalog, store }: Ground): Promise<string | null> {
  const record = recordOf(key)
  if (!record) return null
  const { manifests, blobs } = catalog.read
  if (record.tag !== null && (await manifests.byTag(record.repository, record.tag))) return null
  const bytes = record.digest ? null : await store.records.read(key)
  const digest = record.digest ?? (bytes && digestIn(bytes))
  // Gone meanwhile, or damaged.
  if (!digest) return bytes && key
  if ((await blobs.known([digest])).has(digest)) return null
  return (await store.stat(digest)) ? digest : null
}

const named = z.object({ manifest: z.object({ digest: z.string().refine(isDigest) }) })

/** Null when the record says nothing. */
function digestIn(bytes: Uint8Array): Digest | null {
  const found = named.safeParse(parsed(bytes))
  return found.success ? found.data.manifest.digest : null
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return null
  }
}
