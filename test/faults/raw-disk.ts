import { writeMbr } from '../fixtures/raw.ts'
import { contentOf } from '../support/push-content.ts'
import type { Random } from '../support/random.ts'

/** A partitioned disk. @param largest in sectors of 512 bytes */
export function rawDisk(random: Random, largest: number): Buffer {
  const sectors = 8 + random.below(largest)
  const bytes = Buffer.from(contentOf(random, sectors * 512))
  bytes.fill(0, 0, 512)
  writeMbr(bytes, [{ active: true, type: 0x83, first: 1, sectors: sectors - 1 }])
  return bytes
}
