import { Bug, Refusal } from '../../errors.ts'
import { algorithmOf, parseDigest, type Digest, type DigestAlgorithm } from '../../image/digest.ts'
import { openDigester, type Digester } from '../digester.ts'
import { SlabWriter } from '../slab-writer.ts'
import type { Bytes, Staging, Stat, Tap } from '../store.ts'
import type { Intake } from './intake.ts'
import type { Shelf } from './shelf.ts'
import { removeTails } from './tail.ts'
import type { Uploaded } from './uploaded.ts'

type Parts = {
  readonly id: string
  readonly algorithm: DigestAlgorithm
  readonly amended: boolean
  readonly uploaded: Uploaded
  readonly intake: Intake
  readonly shelf: Shelf
  readonly scratch: string
  /** Told when this one is over. */
  readonly onEnd: () => void
}

/** Hashing 16 TiB once more at 1 GiB/s takes less; a caller with a closer bound seals with its own signal first. */
const sealWithin = 5 * 3_600_000
/** Parts that are nearly there may arrive before they are let go of, in milliseconds. */
const arriveWithin = 5000
/** Bytes that are read of the intake at once. */
const step = 1024 * 1024

/** Bytes that go to the bucket while they come, and what is hashed of them meanwhile. */
export class S3Staging implements Staging {
  readonly #parts: Parts
  readonly #writer: SlabWriter
  #digester: Digester | null
  #sealed: Stat | null = null
  #publishing: Digest | null = null
  #closed = false

  constructor(parts: Parts) {
    this.#parts = parts
    this.#writer = new SlabWriter(parts.intake, () => {}, 'stream')
    this.#writer.startAt(parts.intake.end)
    const hashes = !parts.amended && parts.intake.end === 0
    this.#digester = hashes ? openDigester([parts.algorithm]) : null
  }

  get id(): string {
    return this.#parts.id
  }

  get size(): number {
    return this.#writer.position
  }

  get offset(): number {
    return this.#parts.intake.durable
  }

  async append(
    body: Bytes,
    signal: AbortSignal,
    digesters: readonly Digester[] = [],
    tap: Tap | null = null,
  ): Promise<number> {
    if (this.#sealed) throw new Bug(`staging ${this.id} is sealed`)
    await this.catchUp(signal)
    const before = this.size
    const all = this.#digester ? [this.#digester, ...digesters] : digesters
    await this.#writer.write(body, all, signal, tap)
    return this.size - before
  }

  async catchUp(signal: AbortSignal): Promise<void> {
    if (this.#parts.amended) return
    this.#digester ??= await this.#hashAll(this.#parts.algorithm, signal)
  }

  async flush(): Promise<void> {
    // What was published is durable, and no longer here.
    if (this.#closed) return
    await this.#writer.settled()
    await this.#parts.intake.flush()
  }

  async keep(): Promise<void> {
    await this.#writer.keep()
  }

  async amend(bytes: Uint8Array): Promise<void> {
    if (bytes.length > this.size) throw new Bug(`staging ${this.id} is shorter than the amendment`)
    this.#digester?.drop()
    this.#digester = null
    const { uploaded, intake } = this.#parts
    await this.#writer.settled()
    const sent = Math.min(bytes.length, uploaded.end)
    if (sent > 0) {
      if (uploaded.readable < sent) await uploaded.finish()
      await uploaded.amend(bytes.subarray(0, sent))
      await intake.head?.amend(bytes)
    }
    if (sent < bytes.length) await intake.overwrite(bytes.subarray(sent), sent)
  }

  async seal(
    signal: AbortSignal,
    algorithm: DigestAlgorithm = this.#parts.algorithm,
  ): Promise<Stat> {
    if (this.#sealed && algorithmOf(this.#sealed.digest) === algorithm) return this.#sealed
    await this.#writer.settled()
    const running = this.#running(algorithm)
    // No more bytes come: the rest need not become a piece of its own.
    if (!running && this.#parts.uploaded.end > 0) await this.#parts.intake.drain(signal)
    const digester = running ?? (await this.#hashAll(algorithm, signal))
    const hashes = await digester.finish()
    this.#sealed = { digest: parseDigest(`${algorithm}:${hashes[algorithm]}`), size: this.size }
    return this.#sealed
  }

  /** The hash of all bytes so far, if it is of that kind; it can be finished once. */
  #running(algorithm: DigestAlgorithm): Digester | null {
    if (algorithm !== this.#parts.algorithm) return null
    const digester = this.#digester
    this.#digester = null
    return digester
  }

  async read(offset: number, length: number, signal: AbortSignal): Promise<Buffer> {
    const { uploaded, intake } = this.#parts
    await this.#writer.settled()
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.size - offset)))
    signal.throwIfAborted()
    if (intake.head?.has(offset + bytes.length)) {
      await intake.head.fill(bytes, offset)
      return bytes
    }
    if (offset < uploaded.end && bytes.length > 0) {
      await this.#uncover(offset + bytes.length, signal)
    }
    const sent = Math.max(0, Math.min(bytes.length, uploaded.end - offset))
    if (sent > 0) await uploaded.fill(bytes.subarray(0, sent), offset, signal)
    if (sent < bytes.length) await intake.fill(bytes.subarray(sent), offset + sent)
    return bytes
  }

  async publish(expected: Digest): Promise<Stat> {
    const signal = AbortSignal.timeout(sealWithin)
    const sealed = await this.seal(signal, algorithmOf(expected))
    if (sealed.digest !== expected) {
      await this.discard()
      throw new Refusal('DIGEST_INVALID', `the bytes are ${sealed.digest}, expected ${expected}`)
    }
    await this.#put(expected, signal)
    this.#closed = true
    await this.#end(() => this.#parts.uploaded.forget())
    return sealed
  }

  async discard(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#writer.settle()
    await this.#end(() => this.#drop())
  }

  async leave(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#writer.settle()
    await this.#parts.uploaded.stop(arriveWithin)
    await this.#close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.discard()
  }

  /** Few bytes lie under their digest; for many, the digest's record says where they lie. */
  async #put(digest: Digest, signal: AbortSignal): Promise<void> {
    const { uploaded, intake, shelf } = this.#parts
    if (uploaded.end === 0 && intake.rest <= uploaded.partSize) {
      using whole = await intake.whole(signal)
      return await shelf.putWhole(digest, whole.bytes)
    }
    await intake.drain(signal)
    // When the answer to the last request is lost, these may be a blob's pieces, and must not be dropped.
    await uploaded.notePublishing(digest)
    this.#publishing = digest
    await shelf.putPieces(digest, uploaded.pieces)
  }

  /** Bytes of an open upload can be read once it is completed: with the rest, when no more bytes come. */
  async #uncover(end: number, signal: AbortSignal): Promise<void> {
    const { uploaded, intake } = this.#parts
    if (end <= uploaded.readable) return
    if (this.#sealed) await intake.drain(signal)
    else await uploaded.finish()
  }

  /** A blob's pieces are kept, although nobody was told that they are a blob's. */
  async #drop(): Promise<void> {
    const { uploaded, shelf } = this.#parts
    const { pieces } = uploaded
    const isPut = this.#publishing !== null && (await shelf.names(this.#publishing, pieces))
    await (isPut ? uploaded.forget() : uploaded.discard())
  }

  /** What is open here is closed, also when the bucket cannot be reached: then its note of this staging stays for later. */
  async #end(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } finally {
      await this.#close()
      await removeTails(this.#parts.scratch, this.id)
    }
  }

  async #close(): Promise<void> {
    this.#digester?.drop()
    await this.#parts.intake.close()
    this.#parts.onEnd()
  }

  /** Reads everything once more. */
  async #hashAll(algorithm: DigestAlgorithm, signal: AbortSignal): Promise<Digester> {
    const digester = openDigester([algorithm])
    try {
      await this.#writer.settled()
      await this.#parts.uploaded.finish()
      const feed = new SlabWriter({ write: taken }, () => {}, 'stream')
      await feed.write(this.#all(signal), [digester], signal)
      return digester
    } catch (error) {
      digester.drop()
      throw error
    }
  }

  async *#all(signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const { uploaded, intake } = this.#parts
    yield* uploaded.stream(signal)
    const buffer = Buffer.allocUnsafe(Math.min(step, intake.rest))
    for (let at = uploaded.end; at < intake.end; at += buffer.length) {
      const bytes = buffer.subarray(0, Math.min(buffer.length, intake.end - at))
      await intake.fill(bytes, at)
      yield bytes
    }
  }
}

/** Bytes that are only hashed. */
function taken(buffers: readonly Buffer[]): Promise<number> {
  return Promise.resolve(buffers.reduce((sum, { length }) => sum + length, 0))
}
