import { writeMbr } from '../fixtures/raw.ts'
import { content } from './http-neighbour.ts'

/** A partitioned raw disk of bytes that nothing compresses; another seed, another disk. */
export function disk(length: number, seed = 0): Buffer<ArrayBuffer> {
  const bytes = Buffer.from(new Uint8Array(content(length, 0, seed)).buffer)
  bytes.fill(0, 0, 512)
  writeMbr(bytes, [{ active: true, type: 0x83, first: 1, sectors: length / 512 - 1 }])
  return bytes
}

export const mebibyte = 1_048_576
