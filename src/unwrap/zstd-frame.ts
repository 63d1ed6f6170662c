import { corrupt, mostWindow, unsupported, windowTooLarge } from './unsound.ts'
import { pass, see, type Steps, type Walk } from './walk.ts'

const name = 'zstd'

/** RFC 8878, 3.1.1.2.4: no block is longer than this, and its header may claim 2 MiB. */
const mostBlock = 128 * 1024

/**
 * A zstd frame behind its magic number (RFC 8878, 3.1.1):
 *
 *     1      descriptor: 7-6 size of the content size, 5 single segment, 3 reserved, 2 checksum, 1-0 size of the dictionary id
 *     0-1    window descriptor, absent when there is a single segment
 *     0-4    dictionary id
 *     0-8    content size
 *     …      blocks: 3 bytes (bit 0 last, 1-2 type, 3-23 size) and the content
 *     0-4    checksum of the content
 */
export function* zstdFrame(walk: Walk): Steps {
  const [descriptor = 0] = yield* see(1)
  if ((descriptor & 0x08) !== 0) throw damaged('a frame header', walk)
  yield* frameHeader(descriptor)
  while (!(yield* block(walk)));
  yield* pass((descriptor & 0x04) === 0 ? 0 : 4)
}

function* frameHeader(descriptor: number): Steps {
  const single = (descriptor & 0x20) !== 0
  const [window = 0] = yield* see(single ? 0 : 1)
  if (!single) checkWindow(windowSize(window))
  const dictionary = littleEndian(yield* see([0, 1, 2, 4][descriptor & 3] ?? 0))
  if (dictionary !== 0) {
    const remedy = `unpack it: zstd -d -D <dictionary> <file>`
    throw unsupported(name, `was made with the dictionary ${dictionary}`, remedy)
  }
  const size = littleEndian(yield* see(contentSizeBytes(descriptor >> 6, single)))
  // A single segment is unpacked into one window of its own size.
  if (single) checkWindow(size)
}

function contentSizeBytes(flag: number, single: boolean): number {
  return flag === 0 ? Number(single) : 2 ** flag
}

/** RFC 8878, 3.1.1.1.2. */
function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3))
  return base + (base / 8) * (descriptor & 7)
}

function checkWindow(size: number): void {
  if (size <= mostWindow) return
  throw windowTooLarge(name, size, 'compress it again without --long, or with --long=27 at most')
}

/** @returns whether it is the last */
function* block(walk: Walk): Steps<boolean> {
  const header = (yield* see(3)).readUIntLE(0, 3)
  const type = (header >> 1) & 3
  const size = header >> 3
  if (type === 3 || size > mostBlock) throw damaged('a block header', walk)
  // One byte that is repeated so often as the size says, or the bytes.
  yield* pass(type === 1 ? 1 : size)
  return (header & 1) === 1
}

function littleEndian(bytes: Buffer): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0)
}

function damaged(what: string, walk: Walk) {
  return corrupt(name, `${what} is damaged before byte ${walk.position}`)
}
