import { createHash } from 'node:crypto'
import { constants, open, type FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { errno, Refusal } from '../../errors.ts'

/** Bytes that are read at a time. */
const piece = 1024 * 1024

type Heard = (bytes: number) => void

/** A file that is being sent. Each byte is read once, and hashed on its way, unless it has to be sent again. */
export class SentFile implements AsyncDisposable {
  readonly path: string
  readonly size: number
  readonly #file: FileHandle
  readonly #changedAt: bigint
  readonly #hash = createHash('sha256')
  #hashed = 0
  #sha256: Buffer | null = null

  private constructor(path: string, file: FileHandle, size: number, changedAt: bigint) {
    this.path = path
    this.#file = file
    this.size = size
    this.#changedAt = changedAt
  }

  /** @throws Refusal UNSUPPORTED when it is no file with bytes in it */
  static async open(path: string): Promise<SentFile> {
    // A pipe is opened, too, whether anybody writes to it or not.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const stat = await file.stat({ bigint: true })
      if (!stat.isFile()) throw unfit(path, 'is no file; "-" sends what comes by standard input')
      if (stat.size === 0n) throw unfit(path, 'is empty')
      return new SentFile(path, file, Number(stat.size), stat.mtimeNs)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Of all its bytes, once all of them were read. */
  get sha256(): Buffer | null {
    return this.#sha256
  }

  /** Reads what was not read yet. @param onBytes told how far it is */
  async digest(onBytes: Heard, signal: AbortSignal): Promise<Buffer> {
    let at = this.#hashed
    for await (const bytes of this.#pieces(at)) {
      signal.throwIfAborted()
      at += bytes.length
      onBytes(at)
    }
    if (this.#sha256 === null) throw this.#changed()
    return this.#sha256
  }

  /** Its last bytes do not come when it was written to meanwhile: no image is made of two states of a file. */
  from(start: number, onBytes: Heard): Readable {
    return Readable.from(this.#told(start, onBytes), { objectMode: false, highWaterMark: piece })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }

  async *#told(start: number, onBytes: Heard): AsyncGenerator<Buffer> {
    let at = start
    for await (const bytes of this.#pieces(start)) {
      yield bytes
      at += bytes.length
      onBytes(at)
    }
  }

  async *#pieces(start: number): AsyncGenerator<Buffer> {
    for (let at = start; at < this.size;) {
      const bytes = await this.#read(at)
      at += bytes.length
      if (bytes.length === 0 || (at >= this.size && (await this.#isChanged())))
        throw this.#changed()
      this.#update(bytes, at)
      yield bytes
    }
  }

  async #read(at: number): Promise<Buffer> {
    const length = Math.min(piece, this.size - at)
    try {
      const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafe(length), 0, length, at)
      return buffer.subarray(0, bytesRead)
    } catch (error) {
      throw unfit(this.path, `cannot be read (${errno(error) ?? 'unknown'})`)
    }
  }

  /** @param end where the bytes end in the file */
  #update(bytes: Buffer, end: number): void {
    const start = end - bytes.length
    if (start > this.#hashed || end <= this.#hashed) return
    this.#hash.update(bytes.subarray(this.#hashed - start))
    this.#hashed = end
    if (end === this.size) this.#sha256 = this.#hash.digest()
  }

  async #isChanged(): Promise<boolean> {
    const { size, mtimeNs } = await this.#file.stat({ bigint: true })
    return Number(size) !== this.size || mtimeNs !== this.#changedAt
  }

  #changed(): ChangedFile {
    return new ChangedFile(this.path)
  }
}

/** Somebody writes to the file. */
export class ChangedFile extends Refusal {
  constructor(path: string) {
    super('UNSUPPORTED', `${path} was changed while it was sent`)
  }
}

function unfit(path: string, why: string): Refusal {
  return new Refusal('UNSUPPORTED', `${path} ${why}`)
}
