import { createHash } from 'node:crypto'
import { constants, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hexOf, type Digest } from '../../image/digest.ts'
import { syncFolder } from '../../store/folders.ts'
import { wrongBytes, type Target } from './target.ts'

/** Bytes that are written at a time, and those of which a file has a hole where all are zero. */
const bufferSize = 1024 * 1024
const block = 64 * 1024
const zeros = Buffer.alloc(block)

/** As much of the digest as no two versions of an image share by chance. */
const shown = 16

/** What a disk is called while not all of it is there: another version of the image is another part. */
export function partOf(target: string, digest: Digest): string {
  return `${target}.${hexOf(digest).slice(0, shown)}.part`
}

/** A file that appears when all of it is there, and goes on where a process before this one was ended. Zeros become holes. */
export class PartFile implements Target {
  readonly #target: string
  readonly #part: string
  readonly #digest: Digest
  readonly #file: FileHandle
  readonly #hash = createHash('sha256')
  readonly #buffer = Buffer.allocUnsafe(bufferSize)
  #filled = 0
  /** Where the buffer belongs. */
  #written = 0

  private constructor(target: string, digest: Digest, file: FileHandle) {
    this.#target = target
    this.#part = partOf(target, digest)
    this.#digest = digest
    this.#file = file
  }

  static async open(target: string, digest: Digest): Promise<PartFile> {
    const flags = constants.O_RDWR | constants.O_CREAT
    return new PartFile(target, digest, await open(partOf(target, digest), flags))
  }

  get position(): number {
    return this.#written + this.#filled
  }

  /**
   * Reads again what an earlier process has left.
   * @param size of the whole
   */
  async recall(size: number, onBytes: (bytes: number) => void, signal: AbortSignal): Promise<void> {
    if ((await this.#file.stat()).size > size) await this.#file.truncate(0)
    for (;;) {
      signal.throwIfAborted()
      const { bytesRead } = await this.#file.read(this.#buffer, 0, bufferSize, this.#written)
      if (bytesRead === 0) return
      this.#hash.update(this.#buffer.subarray(0, bytesRead))
      this.#written += bytesRead
      onBytes(this.#written)
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + bufferSize - this.#filled)
      this.#buffer.set(part, this.#filled)
      this.#filled += part.length
      at += part.length
      if (this.#filled === bufferSize) await this.#flush()
    }
  }

  async finish(): Promise<string> {
    await this.keep()
    if (this.#hash.digest('hex') !== hexOf(this.#digest)) {
      await rm(this.#part, { force: true })
      throw wrongBytes(this.#digest)
    }
    await this.#file.sync()
    await rename(this.#part, this.#target)
    await syncFolder(dirname(this.#target))
    return this.#target
  }

  /** A hole at the end is part of what is there. */
  async keep(): Promise<void> {
    await this.#flush()
    await this.#file.truncate(this.#written)
  }

  /** A part without a byte is of no use. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
    if (this.#written === 0) await rm(this.#part, { force: true })
  }

  async #flush(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#filled)
    for (const { start, end } of runsIn(bytes)) await this.#place(start, end)
    this.#hash.update(bytes)
    this.#written += bytes.length
    this.#filled = 0
  }

  async #place(start: number, end: number): Promise<void> {
    for (let at = start; at < end;) {
      const { bytesWritten } = await this.#file.write(
        this.#buffer,
        at,
        end - at,
        this.#written + at,
      )
      at += bytesWritten
    }
  }
}

/** What is not all zero, in as few pieces as there are. */
function runsIn(bytes: Buffer): readonly { readonly start: number; readonly end: number }[] {
  const runs: { start: number; end: number }[] = []
  for (let start = 0; start < bytes.length; start += block) {
    const end = Math.min(start + block, bytes.length)
    if (zeros.subarray(0, end - start).equals(bytes.subarray(start, end))) continue
    const last = runs.at(-1)
    if (last?.end === start) last.end = end
    else runs.push({ start, end })
  }
  return runs
}
