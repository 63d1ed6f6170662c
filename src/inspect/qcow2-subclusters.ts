import { subclusters } from './qcow2-geometry.ts'

/** All bits of the words that tell which of the 32 subclusters are data, or zeros. */
const every = 0xffff_ffff

/** Whether all of a cluster is data, by the extended L2 entry at `at`. */
export function holdsAll(table: DataView, at: number): boolean {
  return table.getUint32(at + 12) === every && table.getUint32(at + 8) === 0
}

/** Bytes of the subclusters in `data`, of `length` bytes each, as far as the cluster's first `used` bytes go. */
export function dataWithin(data: number, length: number, used: number): number {
  let bytes = 0
  for (let index = 0; index < subclusters; index += 1) {
    if (((data >>> index) & 1) === 0) continue
    bytes += Math.max(0, Math.min(length, used - index * length))
  }
  return bytes
}
