/**
 * Memory for bytes on their way to the disk: 256 KiB pieces, shared between threads, used again. Larger pieces hash no
 * faster; smaller ones cost more messages than hashing.
 */
export const slabSize = 256 * 1024

/** One transfer: 2 MiB keep a disk and a hashing thread busy at the same time. */
export const slabsPerTransfer = 8

/** All transfers together: 64 MiB. A transfer that holds none is always served, so that nobody starves. */
const slabsInAll = 256

const free: Buffer[] = []
const waiting: (() => void)[] = []
let out = 0

/** @param held how many slabs the caller holds already */
export async function takeSlab(held: number): Promise<Buffer> {
  if (held > 0) while (isSpent()) await new Promise<void>((resolve) => waiting.push(resolve))
  out += 1
  return free.pop() ?? Buffer.from(new SharedArrayBuffer(slabSize))
}

function isSpent(): boolean {
  return out >= slabsInAll
}

export function giveSlab(slab: Buffer): void {
  out -= 1
  if (out + free.length < slabsInAll) free.push(slab)
  waiting.shift()?.()
}
