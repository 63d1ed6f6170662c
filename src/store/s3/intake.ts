import { Bug } from '../../errors.ts'
import type { Target } from '../write-queue.ts'
import type { BufferPool } from './buffer-pool.ts'
import { partSizeOf } from '../../image/part-plan.ts'
import { Head } from './head.ts'
import { Tail } from './tail.ts'
import type { Uploaded } from './uploaded.ts'

/** Parts of one transfer on their way at the same time: a link with 50 ms to and fro carries 16 MiB in each of them. */
const partsAtOnce = 4
/** What comes first goes here: most blobs are smaller, and a whole part for each of them would use up the memory. */
const firstSize = 256 * 1024
const grain = 64 * 1024

type Options = {
  readonly uploaded: Uploaded
  readonly pool: BufferPool
  readonly scratch: string
  readonly id: string
  /** Bytes that will come, null when nobody knows. */
  readonly size: number | null
  /** Everything is put aside in the scratch folder first. */
  readonly aside: boolean
}

/**
 * The bytes of a staging that are in no part yet. They fill a buffer, which goes off as a part when it is full, or, where no
 * buffer is to be had, a file in the scratch folder, which is uploaded when there are buffers again, or all of it is there.
 */
export class Intake implements Target {
  readonly #options: Options
  readonly #sizes: readonly number[]
  #buffer: Buffer | null = null
  #filled = 0
  #tail: Tail | null = null
  #head: Head | null = null
  /** What comes next goes to the tail. */
  #aside: boolean
  #isWaiting = false
  #spare: Buffer | null = null

  constructor(options: Options, tail: Tail | null = null) {
    const { uploaded, size, aside } = options
    const hinted = Math.ceil((size ?? 0) / grain) * grain
    const sizes = [firstSize, hinted].filter((each) => each > 0 && each < uploaded.partSize)
    this.#options = options
    this.#sizes = [...sizes.sort((one, other) => one - other), uploaded.partSize]
    this.#tail = tail
    this.#filled = tail ? tail.end - uploaded.end : 0
    this.#aside = aside || this.#filled > uploaded.partSize
  }

  get end(): number {
    return this.#options.uploaded.end + this.rest
  }

  /** Bytes that are in no part yet. */
  get rest(): number {
    return this.#filled
  }

  /** Bytes that survive a power cut. */
  get durable(): number {
    const { durable } = this.#options.uploaded
    if (!this.#tail || this.#tail.start > durable) return durable
    return Math.max(durable, this.#tail.durableEnd)
  }

  /** The first bytes, while they are kept beside what is uploaded. */
  get head(): Head | null {
    return this.#head
  }

  async write(buffers: readonly Buffer[]): Promise<number> {
    let written = 0
    for (const bytes of buffers) {
      await this.#take(bytes)
      written += bytes.length
    }
    return written
  }

  /** Bytes from a position on; all of them are here and in no part yet. */
  async fill(buffer: Buffer, position: number): Promise<void> {
    const from = position - this.#options.uploaded.end
    if (this.#buffer) this.#buffer.copy(buffer, 0, from, from + buffer.length)
    else if (this.#tail) await this.#tail.fill(buffer, position)
    else throw new Bug(`${this.#options.id} has no bytes at ${position}`)
  }

  /** @param position all bytes from there on are here and in no part yet */
  async overwrite(bytes: Uint8Array, position: number): Promise<void> {
    this.#buffer?.set(bytes, position - this.#options.uploaded.end)
    if (this.#tail && this.#tail.end > position) await this.#tail.overwrite(bytes, position)
  }

  /** Brings everything to where it survives a power cut. */
  async flush(): Promise<void> {
    const { uploaded, pool } = this.#options
    await uploaded.settled()
    if (this.#filled === 0) return await this.#dropTail()
    await this.#spill()
    await this.#tail?.flush()
    const buffer = this.#buffer
    if (buffer) pool.offer(buffer, () => (this.#buffer = null))
  }

  /** All bytes have come: they become pieces that can be read. */
  async drain(signal: AbortSignal): Promise<void> {
    const { uploaded } = this.#options
    if (uploaded.end === 0) uploaded.plan(Math.max(uploaded.partSize, partSizeOf(this.#filled)))
    this.#retrieve()
    while (this.#filled > 0) {
      await this.#mayOneMore()
      await this.#sendRest(signal)
    }
    await uploaded.finish()
    this.#letGo()
  }

  /** All bytes in memory, for so few that no part was made of them. */
  async whole(signal: AbortSignal): Promise<{ bytes: Buffer; [Symbol.dispose](): void }> {
    const { pool, uploaded } = this.#options
    this.#retrieve()
    if (this.#buffer) {
      return { bytes: this.#buffer.subarray(0, this.#filled), [Symbol.dispose]: () => {} }
    }
    if (this.#filled === 0) return { bytes: Buffer.alloc(0), [Symbol.dispose]: () => {} }
    const buffer = await pool.wait(Math.min(uploaded.partSize, roundedUp(this.#filled)), signal)
    using undo = new DisposableStack()
    undo.defer(() => pool.give(buffer))
    const bytes = buffer.subarray(0, this.#filled)
    await this.#tail?.fill(bytes, 0)
    const held = undo.move()
    return { bytes, [Symbol.dispose]: () => held.dispose() }
  }

  /** Leaves what is durable of the tail. */
  async close(): Promise<void> {
    this.#letGo()
    await this.#tail?.close()
    await this.#head?.close()
    this.#tail = null
    this.#head = null
  }

  async #take(bytes: Buffer): Promise<void> {
    for (let from = 0; from < bytes.length;) {
      const buffer = this.#aside ? null : await this.#room()
      if (!buffer) return await this.#putAside(bytes.subarray(from))
      const taken = bytes.copy(buffer, this.#filled, from)
      this.#filled += taken
      from += taken
      if (this.#filled === this.#options.uploaded.partSize) await this.#handOver(buffer)
    }
  }

  /** A buffer that is not full; null when none is to be had. */
  async #room(): Promise<Buffer | null> {
    this.#retrieve()
    const buffer = this.#buffer
    if (buffer && this.#filled < buffer.length) return buffer
    const larger = await this.#obtain(this.#nextSize())
    if (!larger) return null
    if (buffer) buffer.copy(larger, 0, 0, this.#filled)
    if (buffer) this.#options.pool.give(buffer)
    this.#buffer = larger
    if (!buffer && this.#filled > 0) {
      await this.#tail?.fill(larger.subarray(0, this.#filled), this.#options.uploaded.end)
    }
    return larger
  }

  #nextSize(): number {
    const { end, partSize } = this.#options.uploaded
    if (end > 0) return partSize
    return this.#sizes.find((each) => each > this.#filled) ?? partSize
  }

  /** Nobody may take it away while it is being filled or sent. */
  #retrieve(): void {
    if (this.#buffer) this.#options.pool.keep(this.#buffer)
  }

  /** Waits for what this transfer itself has on its way, and for nobody else's. */
  async #obtain(size: number): Promise<Buffer | null> {
    const { pool, uploaded } = this.#options
    for (;;) {
      const buffer = uploaded.running < partsAtOnce ? (this.#spared(size) ?? pool.take(size)) : null
      if (buffer || uploaded.running === 0) return buffer
      this.#isWaiting = true
      await uploaded.oneDone()
      this.#isWaiting = false
    }
  }

  #spared(size: number): Buffer | null {
    const spare = this.#spare
    this.#spare = null
    if (!spare || spare.length === size) return spare
    this.#options.pool.give(spare)
    return null
  }

  async #handOver(buffer: Buffer): Promise<void> {
    const { uploaded, scratch } = this.#options
    if (uploaded.end === 0) this.#head = await Head.keep(scratch, buffer)
    await uploaded.send(buffer, () => this.#returned(buffer))
    this.#buffer = null
    this.#filled -= buffer.length
    if (this.#tail && this.#tail.end <= uploaded.durable) await this.#dropTail()
  }

  #returned(buffer: Buffer): void {
    if (this.#isWaiting && !this.#spare) this.#spare = buffer
    else this.#options.pool.give(buffer)
  }

  async #putAside(bytes: Buffer): Promise<void> {
    await this.#spill()
    if (this.#buffer) this.#options.pool.give(this.#buffer)
    this.#buffer = null
    this.#aside = true
    await this.#tail?.append(bytes)
    this.#filled += bytes.length
    if (!this.#options.aside) await this.#catchUp()
  }

  /** What lies aside goes off as soon as there is memory for it: a few parts at a time, so that the sender is not kept waiting. */
  async #catchUp(): Promise<void> {
    const { uploaded } = this.#options
    for (let sent = 0; this.#filled >= uploaded.partSize && sent < partsAtOnce; sent += 1) {
      const buffer = await this.#obtain(uploaded.partSize)
      if (!buffer) return
      this.#buffer = buffer
      await this.#tail?.fill(buffer, uploaded.end)
      await this.#handOver(buffer)
    }
    this.#aside = this.#filled >= uploaded.partSize
  }

  /** The tail gets what it has not got yet of what is in no part. */
  async #spill(): Promise<void> {
    const { uploaded, scratch, id } = this.#options
    const former = this.#tail
    if (!former || former.start > uploaded.end || former.end < uploaded.end) {
      this.#tail = await Tail.create(scratch, id, uploaded.end)
    }
    const tail = this.#tail
    const missing = this.#buffer?.subarray((tail?.end ?? 0) - uploaded.end, this.#filled)
    if (missing) await tail?.append(missing)
    if (former && former !== tail) {
      await tail?.flush()
      await former.remove()
    }
  }

  async #mayOneMore(): Promise<void> {
    const { uploaded } = this.#options
    while (uploaded.running >= partsAtOnce) await uploaded.oneDone()
  }

  /** The next part, or the last bytes. */
  async #sendRest(signal: AbortSignal): Promise<void> {
    const { uploaded, pool } = this.#options
    const size = Math.min(this.#filled, uploaded.partSize)
    const buffer =
      this.#buffer ?? (await pool.wait(Math.min(roundedUp(size), uploaded.partSize), signal))
    const bytes = buffer.subarray(0, size)
    const isAside = this.#buffer === null
    this.#buffer = null
    const give = () => pool.give(buffer)
    using undo = new DisposableStack()
    undo.defer(give)
    if (isAside) await this.#tail?.fill(bytes, uploaded.end)
    this.#filled -= size
    if (!uploaded.isOpen && this.#filled === 0) return await uploaded.put(bytes)
    await uploaded.send(bytes, give)
    undo.move()
  }

  async #dropTail(): Promise<void> {
    await this.#tail?.remove()
    this.#tail = null
  }

  #letGo(): void {
    for (const buffer of [this.#buffer, this.#spare]) if (buffer) this.#options.pool.give(buffer)
    this.#buffer = null
    this.#spare = null
  }
}

function roundedUp(size: number): number {
  return Math.ceil(size / grain) * grain
}
