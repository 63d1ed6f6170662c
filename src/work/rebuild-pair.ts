import type { Catalog } from '../catalog/catalog.ts'
import { imageTag } from '../image/name.ts'
import type { Store } from '../store/store.ts'
import { eachOf } from './each-of.ts'
import { PushedRecords } from './pushed-records.ts'
import { rebuild, type Findings, type Ground } from './rebuild.ts'
import { isCurrent, mark, pairUp, type Pair } from './store-identity.ts'
import { tagKey, tagRecord } from './tag-record.ts'

/** Images of one look, and those of them that are written down at the same time. */
const page = 500
const width = 8

/**
 * Makes a catalog and a store one again. Where the catalog is the newest there is of this store, records that were left behind
 * by a crash or an outage follow it first, so that nothing comes back that was deleted.
 */
export async function rebuildPair(
  pair: Pair & { readonly store: Store },
  rest: Pick<Ground, 'now' | 'report'>,
  signal: AbortSignal,
): Promise<Findings> {
  const isNewest = await isCurrent(pair)
  const isOlder = !isNewest && (await pair.catalog.read.events.newest()) !== null
  if (isNewest) await new PushedRecords(pair).catchUp()
  await mark(pair)
  const findings = await rebuild({ ...pair, ...rest }, signal)
  if (isOlder) await recordImages(pair, signal)
  await pairUp(pair)
  return findings
}

/** An older catalog has images that were deleted since. Those whose bytes are all here stay, and are written down again. */
async function recordImages(
  { catalog, store }: { readonly catalog: Catalog; readonly store: Store },
  signal: AbortSignal,
): Promise<void> {
  const { images } = catalog.read
  for (let after: string | null = ''; after !== null;) {
    signal.throwIfAborted()
    const filter = { limit: page, after, phase: 'Ready', format: null, cdrom: null } as const
    const ready = await images.list(filter)
    await eachOf(ready, width, async (image) => {
      const key = tagKey(image.name, imageTag)
      if (!image.stored || (await store.records.read(key))) return
      await store.records.put(key, tagRecord(image, image.stored))
    })
    after = ready.length < page ? null : (ready.at(-1)?.name ?? null)
  }
}
