import { crc32 } from 'node:zlib'
import { corrupt, cutOff, unsupported } from './unsound.ts'
import { pause, see, Walk, type Steps } from './walk.ts'
import { xzBlock, type Block } from './xz-block.ts'
import { Checked } from './xz-checked.ts'

const name = 'xz'

export const streamMagic = Buffer.from('\xfd7zXZ\0', 'latin1')
const footerMagic = 'YZ'

/** Bytes of the check behind each block, by its number: none, CRC32, CRC64, SHA-256. */
const checkSizes: { readonly [check: number]: number } = { 0: 0, 1: 4, 4: 8, 10: 32 }

/** What a stream's blocks come to, and has to come to once more in its index. */
type Sum = { readonly count: number; readonly unpadded: number; readonly uncompressed: number }

/**
 * Walks the streams of an xz file without decoding them: where one ends, whether the file may end there, and how much has
 * to come out.
 *
 *     12     stream header: magic, 2 flags, their CRC32
 *     …      blocks, then the index, which begins with a zero
 *     12     footer: CRC32, size of the index, the flags again, magic
 *     …      padding of four zeros each, further streams
 */
export class XzContainer {
  readonly #walk = new Walk((walk) => this.#streams(walk))
  #uncompressed = 0

  get position(): number {
    return this.#walk.position
  }

  /** @throws Flaw CORRUPT_ARCHIVE, UNSUPPORTED_FORMAT, DECOMPRESSION_LIMIT */
  advance(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) at = this.#walk.advance(bytes, at)
  }

  /**
   * @returns bytes that must have come out
   * @throws Flaw CORRUPT_ARCHIVE unless the file may end here
   */
  end(): number {
    if (this.position > 0 && this.#walk.paused) return this.#uncompressed
    throw cutOff(name, this.position)
  }

  *#streams(walk: Walk): Steps {
    yield* pause()
    let begin = yield* see(4)
    for (;;) {
      yield* this.#stream(walk, begin)
      do {
        yield* pause()
        begin = yield* see(4)
      } while (begin.readUInt32LE() === 0)
    }
  }

  *#stream(walk: Walk, begin: Buffer): Steps {
    const flags = yield* streamHeader(walk, begin)
    const checkSize = checkSizes[flags[1] ?? 0] ?? 0
    let sum: Sum = { count: 0, unpadded: 0, uncompressed: 0 }
    for (;;) {
      const part = new Checked(walk)
      const [first = 0] = yield* part.see(1)
      if (first === 0) {
        yield* index(part, sum)
        yield* footer(walk, flags, part.length + 4)
        break
      }
      sum = add(sum, yield* xzBlock(walk, part, (first + 1) * 4, checkSize))
    }
    this.#uncompressed += sum.uncompressed
  }
}

/** @returns the flags, of which the second is the check's number */
function* streamHeader(walk: Walk, begin: Buffer): Steps<Buffer> {
  const start = walk.position - 4
  const begins = begin.equals(streamMagic.subarray(0, 4))
  const rest = begins ? yield* see(8) : begin
  if (!begins || !rest.subarray(0, 2).equals(streamMagic.subarray(4))) {
    throw corrupt(name, `something else than a stream begins at byte ${start}`)
  }
  const flags = rest.subarray(2, 4)
  if (rest.readUInt32LE(4) !== crc32(flags)) throw damaged('a stream header', walk)
  const check = flags.readUInt16BE()
  if (check in checkSizes) return flags
  throw unsupported(name, `uses the check ${check}`, 'unpack it and compress it again with "xz"')
}

function add(sum: Sum, block: Block): Sum {
  return {
    count: sum.count + 1,
    unpadded: sum.unpadded + block.unpadded,
    uncompressed: sum.uncompressed + block.uncompressed,
  }
}

/** Records of the blocks, in their order: unpadded and uncompressed size (the .xz file format, 4). */
function* index(part: Checked, sum: Sum): Steps {
  const count = yield* part.number()
  let unpadded = 0
  let uncompressed = 0
  for (let record = 0; record < count; record += 1) {
    unpadded += yield* part.number()
    uncompressed += yield* part.number()
  }
  yield* part.zeros(-part.length & 3)
  yield* part.end('the index')
  const same = count === sum.count && unpadded === sum.unpadded && uncompressed === sum.uncompressed
  if (!same) part.fail('the index')
}

function* footer(walk: Walk, flags: Buffer, indexSize: number): Steps {
  const bytes = yield* see(12)
  const sound =
    bytes.readUInt32LE() === crc32(bytes.subarray(4, 10)) &&
    (bytes.readUInt32LE(4) + 1) * 4 === indexSize &&
    bytes.subarray(8, 10).equals(flags) &&
    bytes.toString('latin1', 10) === footerMagic
  if (!sound) throw damaged('a stream footer', walk)
}

function damaged(what: string, walk: Walk) {
  return corrupt(name, `${what} is damaged before byte ${walk.position}`)
}
