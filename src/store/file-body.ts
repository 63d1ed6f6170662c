import type { FileHandle } from 'node:fs/promises'
import { Readable, type Writable } from 'node:stream'
import { Bug } from '../errors.ts'
import type { ByteRange, Opened } from './store.ts'

/** Two of these are in memory for one reader. Larger ones fall out of the processor's cache between disk and socket. */
const pieceSize = 256 * 1024

/** Ends at once, and closes the file as any other stream of it does. */
function emptied(file: FileHandle): Readable {
  return new Readable({
    read() {
      this.push(null)
    },
    destroy(error, done) {
      void close(file, error, done)
    },
  })
}

async function close(
  file: FileHandle,
  error: Error | null,
  done: (error: Error | null) => void,
): Promise<void> {
  const [closed] = await Promise.allSettled([file.close()])
  done(
    error ??
      (closed.status === 'rejected' ? new Bug('a file was not closed', closed.reason) : null),
  )
}

/** A part of an open file, on its way out. */
export class FileBody implements Opened {
  readonly #file: FileHandle
  readonly #range: ByteRange
  readonly #signal: AbortSignal
  #letGo = () => {}

  constructor(file: FileHandle, range: ByteRange, signal: AbortSignal) {
    this.#file = file
    this.#range = range
    this.#signal = signal
  }

  stream(): Readable {
    if (this.#range.end < this.#range.start) return emptied(this.#file)
    return this.#file.createReadStream({ ...this.#range, signal: this.#signal, autoClose: true })
  }

  /** While one piece is written the next is read, always into the same two pieces of memory: nothing is left to collect. */
  async sendTo(writable: Writable): Promise<number> {
    // A connection that dies may never call back, but its signal does.
    const stop = () => this.#letGo()
    this.#signal.addEventListener('abort', stop)
    try {
      return await this.#copyTo(writable)
    } finally {
      this.#signal.removeEventListener('abort', stop)
    }
  }

  async #copyTo(writable: Writable): Promise<number> {
    const { start, end } = this.#range
    const length = Math.min(pieceSize, end - start + 1)
    const pieces = [Buffer.allocUnsafe(length), Buffer.allocUnsafe(length)] as const
    let [next, other] = pieces
    let position = start
    let written = Promise.resolve()
    for (let bytesRead = length; bytesRead > 0 && position <= end; position += bytesRead) {
      bytesRead = await this.#read(next, position)
      await written
      this.#signal.throwIfAborted()
      if (bytesRead > 0) written = this.#write(writable, next.subarray(0, bytesRead))
      ;[next, other] = [other, next]
    }
    await written
    this.#signal.throwIfAborted()
    return position - start
  }

  async #read(piece: Buffer, position: number): Promise<number> {
    const wanted = Math.min(piece.length, this.#range.end - position + 1)
    return (await this.#file.read(piece, 0, wanted, position)).bytesRead
  }

  /** Resolves when the memory may be used again. */
  #write(writable: Writable, bytes: Buffer): Promise<void> {
    const taken = new Promise<void>((resolve, reject) => {
      this.#letGo = resolve
      writable.write(bytes, (error) => (error ? reject(error) : resolve()))
    })
    // It is awaited after the next read, and may fail before.
    taken.catch(() => {})
    return taken
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }
}
