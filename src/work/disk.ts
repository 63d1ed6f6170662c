import { parseDigest } from '../image/digest.ts'
import type { Stored } from '../image/stored.ts'
import { headSize } from '../pack/tar-frame.ts'
import type { ByteRange, Opened, Store } from '../store/store.ts'

/**
 * The disk's own bytes, out of the layer around it.
 * @param range within the disk
 * @throws Refusal BLOB_UNKNOWN when the layer is not in the store
 */
export async function readDisk(
  { layer }: Stored,
  range: ByteRange,
  store: Pick<Store, 'open'>,
  signal: AbortSignal,
): Promise<Opened> {
  const { start, end } = range
  const inLayer = { start: headSize + start, end: headSize + end }
  return await store.open(parseDigest(layer.digest), inLayer, signal)
}
