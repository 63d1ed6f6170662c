import { createHash } from 'node:crypto'
import { rmSync, writeSync } from 'node:fs'
import { constants, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errno, Refusal } from '../../errors.ts'
import { hexOf, type Digest } from '../../image/digest.ts'
import { syncFolder } from '../../store/folders.ts'
import { wrongBytes, type Target } from './target.ts'

/** Bytes that are written at a time, so few that the processor's cache still has them, and those of which a file has a hole
 * where all are zero. */
const bufferSize = 256 * 1024
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
  readonly #held: Disposable
  readonly #hash = createHash('sha256')
  readonly #buffer = Buffer.allocUnsafe(bufferSize)
  #filled = 0
  /** Where the buffer belongs. */
  #written = 0

  private constructor(target: string, digest: Digest, file: FileHandle, held: Disposable) {
    this.#target = target
    this.#part = partOf(target, digest)
    this.#digest = digest
    this.#file = file
    this.#held = held
  }

  /** @throws Refusal UNSUPPORTED while another process has it; the system's error for a path */
  static async open(target: string, digest: Digest): Promise<PartFile> {
    const part = partOf(target, digest)
    // The system says better than a lock what is wrong with a path.
    await (await openPart(part)).close()
    const held = await holdPart(part)
    try {
      return new PartFile(target, digest, await openPart(part), held)
    } catch (error) {
      held[Symbol.dispose]()
      throw error
    }
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

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + bufferSize - this.#filled)
      this.#buffer.set(part, this.#filled)
      this.#filled += part.length
      at += part.length
      if (this.#filled === bufferSize) this.#flush()
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
    this.#flush()
    await this.#file.truncate(this.#written)
  }

  /** A part without a byte is of no use. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
    if (this.#written === 0) await rm(this.#part, { force: true })
    this.#held[Symbol.dispose]()
  }

  #flush(): void {
    const bytes = this.#buffer.subarray(0, this.#filled)
    for (const { start, end } of runsIn(bytes)) this.#place(start, end)
    this.#hash.update(bytes)
    this.#written += bytes.length
    this.#filled = 0
  }

  /** In this thread: nothing else is to be done meanwhile, and another one has the bytes in no cache. */
  #place(start: number, end: number): void {
    try {
      for (let at = start; at < end;) {
        at += writeSync(this.#file.fd, this.#buffer, at, end - at, this.#written + at)
      }
    } catch (cause) {
      const why = errno(cause) ?? 'unknown'
      const next = 'what is there stays, and the same command goes on from there'
      throw new Refusal('UNSUPPORTED', `${this.#part} cannot be written (${why}); ${next}`, {
        cause,
      })
    }
  }
}

async function openPart(part: string): Promise<FileHandle> {
  return await open(part, constants.O_RDWR | constants.O_CREAT)
}

/** Two processes that write to one part would go on with it when one of them has made it the disk. */
async function holdPart(part: string): Promise<Disposable> {
  const { lockFile } = await import('../../catalog/lock.ts')
  const path = part.replace(/part$/, 'lock')
  const next = 'wait for it, or choose another FILE'
  const held = lockFile(path, (cause) => {
    return new Refusal('UNSUPPORTED', `another process brings ${part}; ${next}`, { cause })
  })
  return {
    [Symbol.dispose]() {
      rmSync(path, { force: true })
      held[Symbol.dispose]()
    },
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
