import { crc32 } from 'node:zlib'
import { corrupt } from './unsound.ts'
import { see, type Steps, type Walk } from './walk.ts'

/** Bytes of a part of an xz file that ends with its own CRC32, and numbers of up to nine bytes among them. */
export class Checked {
  readonly #walk: Walk
  #crc = 0
  /** Bytes so far. */
  length = 0

  constructor(walk: Walk) {
    this.#walk = walk
  }

  *see(count: number): Steps<Buffer> {
    const bytes = yield* see(count)
    this.#crc = crc32(bytes, this.#crc)
    this.length += count
    return bytes
  }

  /** Seven bits a byte, the lowest first (the .xz file format, 1.2). */
  *number(): Steps<number> {
    let value = 0
    for (let digit = 0; digit < 9; digit += 1) {
      const [byte = 0] = yield* this.see(1)
      value += (byte & 0x7f) * 128 ** digit
      if (byte < 0x80) return Number.isSafeInteger(value) ? value : this.fail('a number')
    }
    return this.fail('a number')
  }

  *zeros(count: number): Steps {
    const bytes = yield* this.see(count)
    if (bytes.some((byte) => byte !== 0)) this.fail('the padding')
  }

  /** Four bytes that are right only when all before them are. */
  *end(what: string): Steps {
    const sum = (yield* see(4)).readUInt32LE()
    if (sum !== this.#crc) this.fail(what)
  }

  fail(what: string): never {
    throw corrupt('xz', `${what} is damaged before byte ${this.#walk.position}`)
  }
}
