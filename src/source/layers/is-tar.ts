import { blockSize, isSound } from './tar-header.ts'

/** Whether bytes that begin so are a tar with a member in it; one of zeros alone could be a disk as well. */
export function isTar(head: Buffer): boolean {
  return head.length >= blockSize && isSound(head.subarray(0, blockSize))
}
