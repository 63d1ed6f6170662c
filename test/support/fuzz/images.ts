import type { Random } from '../random.ts'

/** Where the headers of formats stand, and what they point to as a rule. */
const headers: readonly [number, ...number[]] = [
  0, 8, 24, 64, 512, 4096, 0x8000, 0x8800, 0x1_0000, 0x2_0000, 0x3_0000, 0x8_0000, 0x20_0000,
]
/** So many bytes behind such a place are spoilt, too. */
const near = 600
/** The largest stretch that is moved, repeated, cleared or lost, in bytes. */
const stretch = 4096

type Bytes = Buffer<ArrayBuffer>

/** Where something is spoilt: at the headers mostly. */
function placeIn(bytes: Bytes, random: Random): number {
  const kind = random.below(4)
  if (kind === 0) return random.below(bytes.length)
  if (kind === 1) return bytes.length - 1 - random.below(Math.min(bytes.length, near))
  return Math.min(random.pick(headers) + random.below(near), bytes.length - 1)
}

type Harm = (bytes: Bytes, random: Random) => Bytes

const harms: readonly [Harm, ...Harm[]] = [
  // Some bits.
  (bytes, random) => {
    for (let left = random.below(8); left >= 0; left -= 1) {
      const at = placeIn(bytes, random)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
    }
    return bytes
  },
  // A number that is the largest, the smallest or negative.
  (bytes, random) => {
    const at = placeIn(bytes, random) & ~7
    const end = Math.min(at + (1 << random.below(4)), bytes.length)
    bytes.fill(random.pick([0, 0xff, 0x7f, 0x80]), at, end)
    return bytes
  },
  // The end is missing.
  (bytes, random) => bytes.subarray(0, 1 + random.below(bytes.length)),
  // A stretch of it is.
  (bytes, random) => {
    const at = placeIn(bytes, random)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.below(stretch))])
  },
  // A stretch comes twice.
  (bytes, random) => {
    const at = placeIn(bytes, random)
    return Buffer.concat([bytes.subarray(0, at + random.below(stretch)), bytes.subarray(at)])
  },
  // A stretch stands elsewhere, too.
  (bytes, random) => {
    bytes.copyWithin(placeIn(bytes, random), placeIn(bytes, random), random.below(bytes.length))
    return bytes
  },
]

/** A copy of a file with one harm or several. It has a byte at least. */
export function harmed(whole: Uint8Array, random: Random): Bytes {
  let bytes: Bytes = Buffer.from(whole)
  for (let left = random.below(3); left >= 0 && bytes.length > 0; left -= 1) {
    bytes = random.pick(harms)(bytes, random)
  }
  return bytes.length > 0 ? bytes : Buffer.of(0)
}
