import { pass, pause, see, Walk, type Steps } from '../../unwrap/walk.ts'
import { damaged, unsafe } from './flaws.ts'
import { extend, isExtension, type Extensions } from './extensions.ts'
import { memberOf, type Member } from './member.ts'
import { blockSize, tarHeader, type Header } from './tar-header.ts'

/** Bytes of an extended header, which is held whole; Go's reader takes no more either. */
const mostExtension = 1024 * 1024

const zeros = Buffer.alloc(64 * 1024)

/** @param at where the member's bytes begin in the tar */
type OnMember = (member: Member, at: number) => void

/**
 * Walks over a tar as strictly as its format is written: every header sound, nothing but zeros behind the end, nothing that
 * two readers would take for two things. What the members are for is not its business.
 */
export class TarWalk {
  readonly #onMember: OnMember
  readonly #walk = new Walk((walk) => this.#members(walk))
  /** Whether the end was met: a block of zeros. */
  #hasEnded = false
  /** Where the archive may stop without one: behind the last member's bytes, or behind what pads them. */
  #mayEnd = { from: Infinity, to: 0 }

  /** @param onMember told of each when its header was walked over; what it throws ends the walk */
  constructor(onMember: OnMember) {
    this.#onMember = onMember
  }

  /**
   * @returns how many of the bytes belong to the archive, up to the first block of its end
   * @throws Flaw CORRUPT_ARCHIVE, UNSAFE_ARCHIVE
   */
  advance(bytes: Buffer): number {
    const at = this.#hasEnded ? 0 : this.#walk.advance(bytes)
    if (this.#hasEnded) assertZeros(bytes.subarray(at), this.#walk.position)
    return at
  }

  /**
   * An archive without its end is complete when its last member is, be it without what pads that: umoci and others write
   * such layers, and whether one was cut is for its digest to tell.
   * @returns bytes of padding that are missing
   * @throws Flaw CORRUPT_ARCHIVE unless the archive is complete
   */
  end(): number {
    const { position } = this.#walk
    const { from, to } = this.#mayEnd
    if (this.#hasEnded) return 0
    if (position >= from && position <= to) return to - position
    throw damaged(`it was cut off at byte ${position}, before the end of the tar`)
  }

  *#members(walk: Walk): Steps {
    let extensions: Extensions = {}
    for (;;) {
      const start = walk.position
      const block = yield* see(blockSize)
      if (block.equals(zeros.subarray(0, blockSize))) yield* this.#finish(extensions)
      const header = tarHeader(block, start)
      if (isExtension(header.flag)) {
        this.#mayEnd = { from: Infinity, to: 0 }
        extensions = extend(extensions, header.flag, yield* extension(header, start))
      } else {
        const member = memberOf(header, extensions)
        const { position } = walk
        this.#onMember(member, position)
        this.#mayEnd = { from: position + member.size, to: position + padded(member.size) }
        yield* pass(padded(member.size))
        extensions = {}
      }
    }
  }

  *#finish(extensions: Extensions): Steps {
    if (Object.keys(extensions).length > 0) {
      throw damaged('its last header is an extended one, and no member follows')
    }
    this.#hasEnded = true
    yield* pause()
  }
}

/** Block by block, so that tiny chunks are joined soon and do not fill memory. */
function* extension({ size, flag }: Header, start: number): Steps<Buffer> {
  if (size > mostExtension) {
    throw damaged(`the extended header "${flag}" at byte ${start} has ${size} bytes`)
  }
  const blocks: Buffer[] = []
  for (let left = size; left > 0; left -= blockSize) blocks.push(yield* see(blockSize))
  return Buffer.concat(blocks, size)
}

function padded(size: number): number {
  return Math.ceil(size / blockSize) * blockSize
}

/** Readers that stop at the end would miss what those find that go on. */
function assertZeros(bytes: Buffer, end: number): void {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const piece = bytes.subarray(at, at + zeros.length)
    if (!piece.equals(zeros.subarray(0, piece.length))) {
      throw unsafe(`something follows behind its end at byte ${end}, where some readers stop`)
    }
  }
}
