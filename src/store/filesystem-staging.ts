import { rm, mkdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Bug, Refusal } from '../errors.ts'
import { algorithmOf, parseDigest, type Digest, type DigestAlgorithm } from '../image/digest.ts'
import { openDigester, type Digester } from './digester.ts'
import { DurableOffset } from './durable-offset.ts'
import { makeFolders, syncFolder } from './folders.ts'
import { StagedFile } from './staged-file.ts'
import { SlabWriter } from './slab-writer.ts'
import { giveSlab, spareSlab, takeSlab } from './slabs.ts'
import type { Bytes, Staging, Stat, Tap } from './store.ts'

type Parts = {
  readonly id: string
  readonly folder: string
  readonly file: StagedFile
  readonly durable: DurableOffset
  readonly algorithm: DigestAlgorithm
  readonly amended: boolean
  readonly blobPath: (digest: Digest) => string
}

type Chosen = Pick<Parts, 'algorithm' | 'amended' | 'blobPath'>

/** `staging/<id>/data` and, beside it, how much of it is durable. */
export class FilesystemStaging implements Staging {
  readonly #parts: Parts
  readonly #writer: SlabWriter
  #digester: Digester | null
  #sealed: Stat | null = null
  #closed = false

  constructor(parts: Parts) {
    this.#parts = parts
    this.#writer = new SlabWriter(parts.file, (written) => parts.durable.advance(written))
    this.#digester = parts.amended ? null : openDigester([parts.algorithm])
  }

  static async create(folder: string, id: string, rest: Chosen) {
    const own = join(folder, id)
    await mkdir(own)
    await using undo = new AsyncDisposableStack()
    undo.defer(() => rm(own, { recursive: true, force: true }))
    const file = undo.use(await StagedFile.open(join(own, 'data'), 'wx+'))
    const durable = await DurableOffset.create(join(own, 'offset'), file.handle)
    const staging = new FilesystemStaging({ id, folder: own, file, durable, ...rest })
    undo.move()
    return staging
  }

  /** Goes on at the durable offset: what lies beyond may be damaged and is cut off. */
  static async reopen(folder: string, id: string, upTo: number, rest: Chosen) {
    const own = join(folder, id)
    await using undo = new AsyncDisposableStack()
    const file = undo.use(await StagedFile.open(join(own, 'data'), 'r+'))
    const durable = await DurableOffset.reopen(join(own, 'offset'), file.handle, upTo)
    undo.defer(() => durable.close())
    await file.handle.truncate(durable.offset)
    const staging = new FilesystemStaging({ id, folder: own, file, durable, ...rest })
    undo.move()
    if (durable.offset > 0) {
      staging.#digester?.drop()
      staging.#digester = null
    }
    staging.#writer.startAt(durable.offset)
    return staging
  }

  get id(): string {
    return this.#parts.id
  }

  get size(): number {
    return this.#writer.position
  }

  get offset(): number {
    return this.#parts.durable.offset
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
    await this.#writer.write(
      body,
      this.#digester ? [this.#digester, ...digesters] : digesters,
      signal,
      tap,
    )
    return this.size - before
  }

  async catchUp(signal: AbortSignal): Promise<void> {
    if (!this.#parts.amended) this.#digester ??= await this.#hashFile(this.#parts.algorithm, signal)
  }

  async flush(): Promise<void> {
    // What was published is durable, and no longer here.
    if (this.#closed) return
    await this.#writer.settled()
    await this.#parts.durable.flush(this.size)
  }

  async keep(): Promise<void> {
    if (!this.#closed) await this.#parts.durable.flush(await this.#writer.keep())
  }

  async amend(bytes: Uint8Array): Promise<void> {
    if (bytes.length > this.size) throw new Bug(`staging ${this.id} is shorter than the amendment`)
    this.#digester?.drop()
    this.#digester = null
    await this.#parts.file.handle.write(bytes, 0, bytes.length, 0)
  }

  async seal(
    signal: AbortSignal,
    algorithm: DigestAlgorithm = this.#parts.algorithm,
  ): Promise<Stat> {
    if (this.#sealed && algorithmOf(this.#sealed.digest) === algorithm) return this.#sealed
    await this.#parts.file.handle.truncate(this.size)
    const digester = this.#running(algorithm) ?? (await this.#hashFile(algorithm, signal))
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
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.size - offset)))
    for (let filled = 0; filled < bytes.length;) {
      signal.throwIfAborted()
      const rest = bytes.length - filled
      const { handle } = this.#parts.file
      const { bytesRead } = await handle.read(bytes, filled, rest, offset + filled)
      if (bytesRead === 0) return this.#zeroed(bytes, filled)
      filled += bytesRead
    }
    return bytes
  }

  /** Zeros at the end were left out, until the file was given its length. */
  #zeroed(bytes: Buffer, from: number): Buffer {
    if (this.#sealed) throw new Bug(`staging ${this.id} is shorter than what was written`)
    return bytes.fill(0, from)
  }

  async publish(expected: Digest): Promise<Stat> {
    const sealed = await this.seal(AbortSignal.timeout(sealWithin), algorithmOf(expected))
    if (sealed.digest !== expected) {
      await this.discard()
      throw new Refusal('DIGEST_INVALID', `the bytes are ${sealed.digest}, expected ${expected}`)
    }
    await this.#parts.durable.stop()
    await this.#parts.file.handle.datasync()
    await this.#moveTo(this.#parts.blobPath(expected))
    return sealed
  }

  async discard(): Promise<void> {
    if (this.#closed) return
    await this.#close()
    await rm(this.#parts.folder, { recursive: true, force: true })
  }

  async leave(): Promise<void> {
    if (!this.#closed) await this.#close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.discard()
  }

  /** The same content under the name already is replaced, which repairs a damaged file; its readers keep what they opened. */
  async #moveTo(path: string): Promise<void> {
    await makeFolders(dirname(path))
    await rename(join(this.#parts.folder, 'data'), path)
    await syncFolder(dirname(path))
    await this.discard()
  }

  async #close(): Promise<void> {
    this.#closed = true
    this.#digester?.drop()
    await this.#writer.settle()
    await this.#parts.durable.close()
    await this.#parts.file[Symbol.asyncDispose]()
  }

  /** Reads everything from the disk once more. */
  async #hashFile(algorithm: DigestAlgorithm, signal: AbortSignal): Promise<Digester> {
    const digester = openDigester([algorithm])
    try {
      await this.#hashInto(digester, signal)
      return digester
    } catch (error) {
      digester.drop()
      throw error
    }
  }

  async #hashInto(digester: Digester, signal: AbortSignal): Promise<void> {
    const slabs = [0, 1].map(() => ({ bytes: takeSlab() ?? spareSlab(), free: Promise.resolve() }))
    try {
      for (let position = 0, turn = 0; position < this.size; turn += 1) {
        signal.throwIfAborted()
        const slab = slabs[turn % slabs.length]
        if (!slab) break
        await slab.free
        const { bytesRead } = await this.#parts.file.handle.read(slab.bytes, { position })
        if (bytesRead === 0) throw new Bug(`staging ${this.id} is shorter than what was written`)
        position += bytesRead
        slab.free = digester.update(slab.bytes.subarray(0, bytesRead))
        // It is awaited two turns later, and may fail before.
        slab.free.catch(() => {})
      }
    } finally {
      await Promise.allSettled(slabs.map((slab) => slab.free))
      for (const { bytes } of slabs) giveSlab(bytes)
    }
    await Promise.all(slabs.map((slab) => slab.free))
  }
}

/** Hashing 16 TiB once more at 1 GiB/s takes less; a caller with a closer bound seals with its own signal first. */
const sealWithin = 5 * 3_600_000
