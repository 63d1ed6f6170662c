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
 */
export async function countUnknownRecords(
  catalog: Catalog,
  store: Store,
  signal: AbortSignal,
): Promise<number> {
  const unknown = new Set<Digest>()
  let looked = 0
  for await (const key of store.records.list('')) {
    signal.throwIfAborted()
    const digest = await unknownManifest(key, { catalog, store })
    if (digest) unknown.add(digest)
    looked += 1
    if (looked % handful === 0) await setImmediate()
  }
  return unknown.size
}

/** The manifest that a record names, null when the catalog knows it or it is not here. */
async function unknownManifest(key: string, { catalog, store }: Ground): Promise<Digest | null> {
  const record = recordOf(key)
  if (!record) return null
  const { manifests, blobs } = catalog.read
  if (record.tag !== null && (await manifests.byTag(record.repository, record.tag))) return null
  const digest = record.digest ?? (await digestIn(key, store))
  if (!digest || (await blobs.known([digest])).has(digest)) return null
  return (await store.stat(digest)) ? digest : null
}

const named = z.object({ manifest: z.object({ digest: z.string().refine(isDigest) }) })

/** Null when the record has gone meanwhile, or says nothing. */
async function digestIn(key: string, { records }: Store): Promise<Digest | null> {
  const bytes = await records.read(key)
  const found = bytes && named.safeParse(parsed(bytes))
  return found?.success ? found.data.manifest.digest : null
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return null
  }
}
