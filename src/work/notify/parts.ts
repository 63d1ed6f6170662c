import { buffer } from 'node:stream/consumers'
import { z } from 'zod'
import { Refusal } from '../../errors.ts'
import type { Digest } from '../../image/digest.ts'
import type { Store } from '../../store/store.ts'

const part = z.looseObject({ mediaType: z.string(), digest: z.string(), size: z.number() })
const document = z.object({
  config: part.optional(),
  layers: z.array(part).default([]),
  manifests: z.array(part).default([]),
})

/** A storage that takes longer is asked again with the next try, in milliseconds. */
const within = 30_000

/**
 * What a manifest names, its configuration first; null when its bytes have gone.
 * @throws Outage STORAGE_UNAVAILABLE; the reason of an abort
 */
export async function partsOf(
  digest: Digest,
  store: Store,
  signal: AbortSignal,
): Promise<readonly object[] | null> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(within)])
  try {
    await using opened = await store.open(digest, null, limited)
    const bytes = await buffer(opened.stream())
    const { config, layers, manifests } = document.parse(JSON.parse(bytes.toString()))
    return [...(config ? [config] : []), ...layers, ...manifests].map(
      ({ mediaType, size, digest }) => ({ mediaType, size, digest }),
    )
  } catch (error) {
    if (error instanceof Refusal && error.code === 'BLOB_UNKNOWN') return null
    throw error
  }
}
