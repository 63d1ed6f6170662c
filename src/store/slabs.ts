/**
 * Memory for bytes on their way to the disk: pieces of one buffer that the hashing threads see too, so that a message to
 * them is two numbers. The system gives memory only to pieces that were used, and the last one given back is used first.
 */

/** 1 MiB: larger pieces hash no faster, smaller ones cost many transfers at once a sixth more for messages and writes. */
export const slabSize = 1024 * 1024

/** One transfer: 4 MiB keep a disk and a hashing thread busy at the same time. */
export const slabsPerTransfer = 4

/** All transfers together: 64 MiB. */
const slabsInAll = 64

/** One that may grow begins at a page, as direct writes want it; this one never does. */
export const slabMemory = new SharedArrayBuffer(slabsInAll * slabSize, {
  maxByteLength: slabsInAll * slabSize,
})

const free: Buffer[] = Array.from({ length: slabsInAll }, (_, index) =>
  Buffer.from(slabMemory, index * slabSize, slabSize),
).toReversed()

/** Null when all are in use. */
export function takeSlab(): Buffer | null {
  return free.pop() ?? null
}

/** Memory of its own for a transfer that holds no slab when all are in use, so that nobody waits for another's bytes. */
export function spareSlab(): Buffer {
  return Buffer.allocUnsafeSlow(slabSize)
}

export function giveSlab(slab: Buffer): void {
  if (isSlab(slab)) free.push(slab)
}

/** Whether the hashing threads see these bytes where they are. */
export function isSlab(bytes: Uint8Array): boolean {
  return bytes.buffer === slabMemory
}
