import { mostWindow, unsupported, windowTooLarge } from './unsound.ts'
import { pass, see, type Steps, type Walk } from './walk.ts'
import type { Checked } from './xz-checked.ts'

const name = 'xz'
const lzma2 = 0x21
/** Delta, and those that prepare machine code: x86, PowerPC, IA-64, ARM, ARM Thumb, SPARC, ARM64, RISC-V. */
const preparing = new Set([0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b])

/** Bytes of a block without its padding, and of what comes out of it, as the index has to repeat them. */
export type Block = { readonly unpadded: number; readonly uncompressed: number }

/**
 * A block behind the first byte of its header (the .xz file format, 3):
 *
 *     1      flags: 0-1 filters but one, 2-5 reserved, 6 compressed size present, 7 uncompressed size present
 *     …      the sizes, the filters, zeros up to the header's size, CRC32
 *     …      LZMA2 chunks, zeros up to a multiple of four, the check
 *
 * @param header has seen the first byte
 * @param headerSize bytes of the header, its first byte and its CRC32 among them
 * @param checkSize bytes of the check behind the block
 */
export function* xzBlock(
  walk: Walk,
  header: Checked,
  headerSize: number,
  checkSize: number,
): Steps<Block> {
  yield* blockHeader(header, headerSize - 4)
  const start = walk.position
  const uncompressed = yield* chunks(header)
  const compressed = walk.position - start
  yield* header.zeros(-compressed & 3)
  yield* pass(checkSize)
  return { unpadded: headerSize + compressed + checkSize, uncompressed }
}

function* blockHeader(header: Checked, end: number): Steps {
  const [flags = 0] = yield* header.see(1)
  if ((flags & 0x3c) !== 0) header.fail('a block header')
  if ((flags & 0x40) !== 0) yield* header.number()
  if ((flags & 0x80) !== 0) yield* header.number()
  const last = flags & 3
  for (let index = 0; index <= last; index += 1) yield* filter(header, end, index === last)
  if (header.length > end) header.fail('a block header')
  yield* header.zeros(end - header.length)
  yield* header.end('a block header')
}

function* filter(header: Checked, end: number, last: boolean): Steps {
  const id = yield* header.number()
  const size = yield* header.number()
  if (size > end - header.length) header.fail('a block header')
  const properties = yield* header.see(size)
  if (last ? id === lzma2 : preparing.has(id)) {
    if (last) checkDictionary(properties[0] ?? 0, header)
    return
  }
  const remedy = 'unpack it and compress it again: xz -d <file>, then xz <file>'
  throw unsupported(name, `uses the filter 0x${id.toString(16)}`, remedy)
}

/** The .xz file format, 5.3.1: two or three times a power of two. */
function checkDictionary(bits: number, header: Checked): void {
  if (bits > 40) header.fail('a block header')
  const size = (2 + (bits & 1)) * 2 ** ((bits >> 1) + 11)
  if (size <= mostWindow) return
  throw windowTooLarge(name, size, 'compress it again with "xz -9", which needs 64 MiB')
}

/**
 * LZMA2 (the .xz file format, 5.3.1): each chunk tells its lengths, so that a walk needs no decoder.
 *
 *     0x00         the end
 *     0x01, 0x02   2 bytes: length - 1, and so many bytes as they are
 *     0x80-0xff    bits 0-4 and 2 bytes: unpacked length - 1, 2 bytes: packed length - 1, from 0xc0 on a byte of properties
 *
 * @returns bytes that come out
 */
function* chunks(header: Checked): Steps<number> {
  let uncompressed = 0
  for (;;) {
    const [control = 0] = yield* see(1)
    if (control === 0) return uncompressed
    if (control > 2 && control < 0x80) header.fail('a chunk')
    const length = (yield* see(2)).readUInt16BE() + 1
    if (control < 0x80) {
      uncompressed += length
      yield* pass(length)
    } else {
      uncompressed += (control & 0x1f) * 65_536 + length
      const packed = (yield* see(2)).readUInt16BE() + 1
      yield* pass(packed + (control < 0xc0 ? 0 : 1))
    }
  }
}
