import { corrupt, cutOff } from './unsound.ts'
import { pass, pause, see, Walk, type Steps } from './walk.ts'
import { zstdFrame } from './zstd-frame.ts'

const name = 'zstd'

export const frameMagic = 0xfd_2f_b5_28

/** Frames of anybody's data that a reader passes over (RFC 8878, 3.1.2). */
export function isSkippable(magic: number): boolean {
  return (magic & 0xff_ff_ff_f0) >>> 0 === 0x18_4d_2a_50
}

/**
 * Walks a zstd file's frames, since no decoder says where it is: Node's ends silently in front of a skippable frame and
 * behind the first of several.
 */
export class ZstdFrames {
  readonly #walk = new Walk((walk) => this.#frames(walk))
  /** The first bytes of a magic number whose others are not there yet. */
  #held: Buffer = Buffer.alloc(0)
  #skipping = false
  #count = 0

  /** Bytes of the file up to the last piece. */
  get position(): number {
    return this.#walk.position
  }

  /**
   * The bytes without those of skippable frames, in pieces none of which goes across the end of a frame.
   * @throws Flaw CORRUPT_ARCHIVE, UNSUPPORTED_FORMAT, DECOMPRESSION_LIMIT
   */
  *pieces(chunk: Buffer): Generator<Buffer, void, undefined> {
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk
    let from = 0
    while (from < bytes.length && !this.#mustWait(bytes, from)) {
      const to = this.#walk.advance(bytes, from)
      if (!this.#skipping) yield bytes.subarray(from, to)
      from = to
    }
    this.#held = bytes.subarray(from)
  }

  /** @throws Flaw CORRUPT_ARCHIVE unless the file may end here */
  end(): void {
    const length = this.position + this.#held.length
    if (this.#held.length > 0 || !this.#walk.paused) throw cutOff(name, length)
    if (this.#count > 0) return
    throw corrupt(name, `no frame follows the skippable ones before byte ${length}`)
  }

  /** What begins here is known by four bytes, and only then whether they are for the decoder. */
  #mustWait(bytes: Buffer, from: number): boolean {
    return this.#walk.paused && bytes.length - from < 4
  }

  *#frames(walk: Walk): Steps {
    for (;;) {
      yield* pause()
      const magic = (yield* see(4)).readUInt32LE()
      this.#skipping = isSkippable(magic)
      if (this.#skipping) yield* pass((yield* see(4)).readUInt32LE())
      else yield* this.#frame(walk, magic)
    }
  }

  *#frame(walk: Walk, magic: number): Steps {
    if (magic !== frameMagic) {
      throw corrupt(name, `something else than a frame begins at byte ${walk.position - 4}`)
    }
    yield* zstdFrame(walk)
    this.#count += 1
  }
}
