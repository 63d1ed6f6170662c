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

/** Those that come when all are in use have one of these, so that nobody waits for another's bytes: 200 take 34 MiB. */
const spareSize = 128 * 1024
const sparesInAll = 256

/** One that may grow begins at a page, as direct writes want it; this one never does. */
const length = slabsInAll * slabSize + sparesInAll * spareSize
export const slabMemory = new SharedArrayBuffer(length, { maxByteLength: length })

const free = pieces(0, slabSize, slabsInAll)
const spare = pieces(slabsInAll * slabSize, spareSize, sparesInAll)

function pieces(start: number, size: number, count: number): Buffer[] {
  const at = (index: number) => Buffer.from(slabMemory, start + index * size, size)
  return Array.from({ length: count }, (_, index) => at(index)).toReversed()
}

/** Null when all are in use. */
export function takeSlab(): Buffer | null {
  return free.pop() ?? null
}

/** A smaller one for a transfer that holds none when all are in use; memory of its own when there are none of these. */
export function spareSlab(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(spareSize)
}

export function giveSlab(slab: Buffer): void {
  if (isSlab(slab)) (slab.length === slabSize ? free : spare).push(slab)
}

/** Whether the hashing threads see these bytes where they are. */
export function isSlab(bytes: Uint8Array): boolean {
  return bytes.buffer === slabMemory
}
