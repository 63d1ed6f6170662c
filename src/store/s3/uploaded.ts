import { randomUUID } from 'node:crypto'
import { Bug } from '../../errors.ts'
import type { Digest } from '../../image/digest.ts'
import { bytesOf } from './body.ts'
import type { Bucket } from './bucket.ts'
import type { OpenUpload, Part } from './objects.ts'
import { partsInAll } from '../../image/part-plan.ts'
import { behindOf, firstOf, sizeOf, stretchesOf, type Piece } from './piece.ts'

import { discardState, objectsPrefix, stateKey, type State } from './staged-state.ts'

const none = { parts: 0, bytes: 0 }

/**
 * What of a staging is in the bucket: pieces, which can be read, and behind them the parts of an open multipart upload, which
 * cannot before it is completed. `staging/<id>` says where they lie, so that a later process finds them.
 */
export class Uploaded {
  readonly #bucket: Bucket
  readonly #id: string
  readonly #stop = new AbortController()
  readonly #running = new Set<Promise<void>>()
  #partSize: number
  #pieces: readonly Piece[] = []
  #open: OpenUpload | null = null
  #parts: (Part | null)[] = []
  #handedOver = 0
  /** Of the open upload, without a gap. */
  #arrived = none
  #failure: { readonly error: unknown } | null = null
  #isKept = false

  constructor(bucket: Bucket, id: string, partSize: number) {
    this.#bucket = bucket
    this.#id = id
    this.#partSize = partSize
  }

  /** @param upTo bytes beyond are cut off */
  static async resume(bucket: Bucket, id: string, state: State, upTo: number): Promise<Uploaded> {
    const uploaded = new Uploaded(bucket, id, state.partSize)
    uploaded.#isKept = true
    uploaded.#pieces = state.pieces
    if (state.open) await uploaded.#takeUp(state.open)
    if (upTo < uploaded.end) await uploaded.#cut(upTo)
    return uploaded
  }

  get partSize(): number {
    return this.#partSize
  }

  get pieces(): readonly Piece[] {
    return this.#pieces
  }

  /** Bytes that can be read. */
  get readable(): number {
    return sizeOf(this.#pieces)
  }

  /** Bytes that were handed over, those on their way among them. */
  get end(): number {
    return this.readable + this.#handedOver
  }

  /** Bytes that have arrived, without a gap. */
  get durable(): number {
    return this.readable + this.#arrived.bytes
  }

  /** Parts on their way. */
  get running(): number {
    return this.#running.size
  }

  /** The size of all parts, as long as none was handed over. */
  plan(partSize: number): void {
    if (!this.#open) this.#partSize = partSize
  }

  /** Hands over the next part and does not wait for its arrival; `done` is called when its memory may be used again. */
  async send(bytes: Buffer, done: () => void): Promise<void> {
    const upload = await this.#ready()
    const place = this.#parts.push(null) - 1
    this.#handedOver += bytes.length
    const work = this.#sendPart(upload, place, bytes).finally(() => {
      this.#running.delete(work)
      done()
    })
    this.#running.add(work)
  }

  /** Bytes that make a piece of their own, where no upload is open that they could be a part of. */
  async put(bytes: Buffer): Promise<void> {
    this.#throwFailure()
    const key = objectsPrefix + randomUUID()
    await this.#orKept(this.#bucket.put(key, bytes, this.#stop.signal))
    this.#pieces = [...this.#pieces, { key, start: 0, size: bytes.length }]
  }

  get isOpen(): boolean {
    return this.#open !== null
  }

  /** Resolves when one part more has arrived or failed. */
  async oneDone(): Promise<void> {
    await Promise.race(this.#running)
  }

  /** Waits for all parts. @throws what went wrong with any of them */
  async settled(): Promise<void> {
    await Promise.all(this.#running)
    this.#throwFailure()
  }

  /** Makes a piece of the open upload, so that its bytes can be read. */
  async finish(): Promise<void> {
    await this.settled()
    if (!this.#open) return
    await this.#complete(
      this.#open,
      this.#parts.filter((part) => part !== null),
    )
  }

  /** Other bytes at the start, in an object of their own; all of them are readable. */
  async amend(bytes: Uint8Array): Promise<void> {
    if (this.readable < bytes.length) throw new Bug(`${this.#id} has too few bytes to be amended`)
    const key = objectsPrefix + randomUUID()
    await this.#bucket.put(key, bytes)
    const rest = behindOf(this.#pieces, bytes.length)
    await this.#replace([{ key, start: 0, size: bytes.length }, ...rest])
  }

  /** Bytes from `offset` on; all of them are readable. */
  async fill(buffer: Buffer, offset: number, signal: AbortSignal): Promise<void> {
    const range = { start: offset, end: offset + buffer.length - 1 }
    let filled = 0
    for await (const chunk of bytesOf(this.#bucket, stretchesOf(this.#pieces, range), signal)) {
      buffer.set(chunk, filled)
      filled += chunk.length
    }
    if (filled < buffer.length) throw new Bug(`${this.#id} is shorter than what was uploaded`)
  }

  /** All bytes that can be read. */
  stream(signal: AbortSignal): AsyncIterable<Uint8Array> {
    const range = { start: 0, end: this.readable - 1 }
    return bytesOf(this.#bucket, stretchesOf(this.#pieces, range), signal)
  }

  /** From now on a later process knows that a digest's record may name these pieces. */
  async notePublishing(digest: Digest): Promise<void> {
    await this.#save(digest)
  }

  /** The pieces are a blob's now. */
  async forget(): Promise<void> {
    if (this.#isKept) await this.#bucket.remove(stateKey(this.#id))
  }

  /** Gives up what is on its way, unless it arrives within so many milliseconds. */
  async stop(within: number): Promise<void> {
    const timer = setTimeout(() => this.#stop.abort(new Error('given up')), within)
    await Promise.all(this.#running)
    clearTimeout(timer)
  }

  async discard(): Promise<void> {
    await this.stop(0)
    if (this.#isKept || this.#open || this.#pieces.length > 0) {
      await discardState(this.#bucket, this.#id, { pieces: this.#pieces, open: this.#open })
    }
  }

  async #takeUp(open: OpenUpload): Promise<void> {
    const parts = await this.#bucket.parts(open)
    if (parts) {
      this.#open = open
      const full = parts.findIndex(
        (part, at) => part.number !== at + 1 || part.size !== this.#partSize,
      )
      this.#parts = full === -1 ? [...parts] : parts.slice(0, full)
      this.#handedOver = this.#parts.length * this.#partSize
      this.#arrived = { parts: this.#parts.length, bytes: this.#handedOver }
      return
    }
    // It was completed, and the answer or the note of it was lost.
    const found = await this.#bucket.head(open.key)
    if (found) this.#pieces = [...this.#pieces, { key: open.key, start: 0, size: found.size }]
  }

  async #cut(upTo: number): Promise<void> {
    const whole = Math.ceil(Math.max(0, upTo - this.readable) / this.#partSize)
    const kept = this.#parts.slice(0, whole).filter((part) => part !== null)
    if (this.#open && kept.length > 0) await this.#complete(this.#open, kept)
    else if (this.#open) await this.#bucket.abort(this.#open)
    this.#close()
    await this.#replace(firstOf(this.#pieces, upTo))
  }

  async #replace(pieces: readonly Piece[]): Promise<void> {
    const former = this.#pieces
    this.#pieces = pieces
    await this.#save()
    const kept = new Set(pieces.map(({ key }) => key))
    for (const { key } of former) if (!kept.has(key)) await this.#bucket.remove(key)
  }

  /** The upload that takes the next part. */
  async #ready(): Promise<OpenUpload> {
    this.#throwFailure()
    if (this.#parts.length === partsInAll) await this.#orKept(this.finish())
    return this.#open ?? (await this.#orKept(this.#begin()))
  }

  /** What fails leaves a gap behind which nothing may come. */
  async #orKept<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work
    } catch (error) {
      this.#failure ??= { error }
      throw error
    }
  }

  async #begin(): Promise<OpenUpload> {
    const upload = await this.#bucket.begin(objectsPrefix + randomUUID(), this.#stop.signal)
    this.#open = upload
    await this.#save()
    return upload
  }

  async #save(publishing: Digest | null = null): Promise<void> {
    const state: State = {
      partSize: this.#partSize,
      pieces: [...this.#pieces],
      open: this.#open,
      publishing,
    }
    this.#isKept = true
    await this.#bucket.put(stateKey(this.#id), Buffer.from(JSON.stringify(state)))
  }

  /** Never throws: a failure is kept for whoever asks next. */
  async #sendPart(upload: OpenUpload, place: number, bytes: Buffer): Promise<void> {
    try {
      this.#parts[place] = await this.#bucket.sendPart(upload, place + 1, bytes, this.#stop.signal)
      this.#advance()
    } catch (error) {
      this.#failure ??= { error }
    }
  }

  #advance(): void {
    let { parts, bytes } = this.#arrived
    for (let part = this.#parts[parts]; part; part = this.#parts[parts]) {
      parts += 1
      bytes += part.size
    }
    this.#arrived = { parts, bytes }
  }

  async #complete(open: OpenUpload, parts: readonly Part[]): Promise<void> {
    await this.#bucket.complete(open, parts, this.#stop.signal)
    const size = parts.reduce((sum, part) => sum + part.size, 0)
    this.#pieces = [...this.#pieces, { key: open.key, start: 0, size }]
    this.#close()
  }

  #close(): void {
    this.#open = null
    this.#parts = []
    this.#handedOver = 0
    this.#arrived = none
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error
  }
}
