import { Bug } from '../errors.ts'
import { Tail, tailLength } from './tail.ts'

export { tailLength }

/** Covers the ISO and UDF anchors (0x80000), VMDK descriptors and VHDX headers, which lie within the first 1 MiB. */
export const headLength = 2_097_152
/** The most that is kept of one place behind the head to which a header points. */
export const aheadLength = 131_072
/** A format follows a header to a few places only: an El Torito catalog, a root directory, a boot image. */
const mostAhead = 4

/**
 * Bytes that stand in no window: they are still to come, or they never will because the file is known to end before them
 * (`beyondEnd`). Otherwise an inspector reads where nothing was kept, which is why this is a Bug when nobody catches it.
 */
export class Missing extends Bug {
  readonly beyondEnd: boolean

  constructor(offset: number, length: number, beyondEnd: boolean) {
    super(`bytes ${offset} to ${offset + length} are in no window`)
    this.beyondEnd = beyondEnd
  }
}

type Stretch = { readonly offset: number; readonly bytes: Buffer }

/**
 * What is kept of a file while it passes: its head, its tail and a few bounded places ahead. Every buffer has a constant
 * length; no number from the file makes one larger. Bytes are copied, the caller keeps its memory.
 * All reads throw Missing for bytes that are not there (yet).
 */
export class Windows {
  readonly #declared: number | null
  readonly #keepsHead: boolean
  /** Null while it is kept elsewhere and not shown. */
  #head: Buffer | null
  readonly #tail = new Tail()
  readonly #ahead: Stretch[] = []
  #end: Stretch | null = null
  #received = 0

  /** @param head `shown` when somebody else keeps the head and shows it whenever it is looked at */
  constructor(declared: number | null, head: 'kept' | 'shown' = 'kept') {
    this.#declared = declared
    this.#keepsHead = head === 'kept'
    this.#head = this.#keepsHead ? Buffer.alloc(headLength) : null
  }

  /** What the file begins with, as far as it has come and the head goes; until `hide` it is read from there. */
  show(head: Buffer): void {
    if (head.length < this.headReceived) throw new Bug('a part of the head was shown')
    this.#head = head
  }

  hide(): void {
    if (!this.#keepsHead) this.#head = null
  }

  /** Bytes of the head that have come. */
  get headReceived(): number {
    return Math.min(this.#received, headLength)
  }

  get received(): number {
    return this.#received
  }

  get ended(): boolean {
    return this.#end !== null
  }

  /** Bytes of the whole file: as declared, or as counted once it has ended; null before. */
  get size(): number | null {
    return this.ended ? this.#received : this.#declared
  }

  /** Whether the file is known to end before `offset`. */
  endsBefore(offset: number): boolean {
    return this.size !== null && this.size < offset
  }

  push(chunk: Uint8Array): void {
    const offset = this.#received
    if (this.#keepsHead && offset < headLength) {
      this.#seen().set(chunk.subarray(0, headLength - offset), offset)
    }
    for (const stretch of this.#ahead) fill(stretch, chunk, offset)
    const end = offset + chunk.length
    // Far from a declared end nothing can belong to the tail, so nothing is copied.
    if (this.#declared === null || end > this.#declared - tailLength) this.#tail.push(chunk, offset)
    this.#received = end
  }

  /**
   * Passes over bytes behind the head without showing them; they are missing for good. The last `tailLength` bytes of the
   * file and the places that were wanted have to be shown.
   */
  skip(to: number): void {
    const passed = this.#ahead.some(
      ({ offset, bytes }) => offset < to && offset + bytes.length > this.#received,
    )
    if (this.#received < headLength || passed) throw new Bug(`bytes before ${to} are needed`)
    this.#received = Math.max(to, this.#received)
  }

  /** Places ahead that are wanted and have not wholly come. */
  wanted(): readonly { readonly offset: number; readonly length: number }[] {
    return this.#ahead
      .map(({ offset, bytes }) => ({ offset, length: bytes.length }))
      .filter(({ offset, length }) => offset + length > this.#received)
  }

  end(): void {
    const bytes = this.#tail.bytes(this.#received)
    this.#end = { offset: this.#received - bytes.length, bytes }
  }

  /** Keeps a place that still lies (partly) ahead of the stream. What lies behind it is not kept. */
  want(offset: number, length: number): void {
    if (length > aheadLength) throw new Bug(`a window of ${length} bytes is too long`)
    if (this.ended || this.#ahead.some((stretch) => stretch.offset === offset)) return
    if (offset + length <= headLength || this.#ahead.length === mostAhead) return
    if (offset < this.#received && this.#received > headLength) return
    const stretch = { offset, bytes: Buffer.alloc(length) }
    fill(stretch, this.#seen().subarray(0, this.#received), 0)
    this.#ahead.push(stretch)
  }

  /** Whether the bytes stand in a window, so that reading them does not throw. */
  holds(offset: number, length: number): boolean {
    return this.#find(offset, length) !== null
  }

  /** A view that is valid until the next push. */
  bytes(offset: number, length: number): Buffer {
    const found = this.#find(offset, length)
    if (found) return found
    throw new Missing(offset, length, this.endsBefore(offset + length))
  }

  /** As much as the head holds of these bytes; perhaps none. */
  upTo(offset: number, length: number): Buffer {
    const end = Math.min(offset + length, this.headReceived)
    return this.#seen().subarray(offset, Math.max(offset, end))
  }

  /** The head and the places ahead that were wanted, as far as they have come. */
  kept(): readonly Buffer[] {
    return [this.upTo(0, headLength), ...this.#ahead.map(({ bytes }) => bytes)]
  }

  /** Whether the file has `bytes` at `offset`; false when they are not there. A text stands for its Latin-1 bytes. */
  has(offset: number, bytes: string | readonly number[]): boolean {
    const wanted = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes)
    return this.#find(offset, wanted.length)?.equals(wanted) ?? false
  }

  /** As many zero-terminated or space-padded characters as people can read. */
  label(offset: number, length: number): string {
    return this.text(offset, length)
      .replace(/\0.*$/s, '')
      .replaceAll(/[^\x20-\x7e\xa0-\xff]/g, '?')
      .trim()
  }

  text(offset: number, length: number): string {
    return this.bytes(offset, length).toString('latin1')
  }

  u8(offset: number): number {
    return this.bytes(offset, 1).readUInt8()
  }

  u16le(offset: number): number {
    return this.bytes(offset, 2).readUInt16LE()
  }

  u16be(offset: number): number {
    return this.bytes(offset, 2).readUInt16BE()
  }

  u32le(offset: number): number {
    return this.bytes(offset, 4).readUInt32LE()
  }

  u32be(offset: number): number {
    return this.bytes(offset, 4).readUInt32BE()
  }

  u64le(offset: number): bigint {
    return this.bytes(offset, 8).readBigUInt64LE()
  }

  u64be(offset: number): bigint {
    return this.bytes(offset, 8).readBigUInt64BE()
  }

  #seen(): Buffer {
    if (this.#head) return this.#head
    throw new Bug('the head is not shown')
  }

  #find(offset: number, length: number): Buffer | null {
    const end = offset + length
    if (offset < 0) return null
    if (end <= this.headReceived) return this.#seen().subarray(offset, end)
    if (end > this.#received) return null
    const kept = this.#end ? [...this.#ahead, this.#end] : this.#ahead
    const stretch = kept.find(({ offset: start, bytes }) => holdsAll(start, bytes, offset, end))
    return stretch?.bytes.subarray(offset - stretch.offset, end - stretch.offset) ?? null
  }
}

function holdsAll(start: number, bytes: Buffer, offset: number, end: number): boolean {
  return offset >= start && end <= start + bytes.length
}

/** Copies the part of `chunk` (which stands at `offset`) that belongs to the stretch. */
function fill(stretch: Stretch, chunk: Uint8Array, offset: number): void {
  const from = Math.max(stretch.offset, offset)
  const to = Math.min(stretch.offset + stretch.bytes.length, offset + chunk.length)
  if (from >= to) return
  stretch.bytes.set(chunk.subarray(from - offset, to - offset), from - stretch.offset)
}
