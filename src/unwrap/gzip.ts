import { Duplex } from 'node:stream'
import { createGunzip, type Gunzip } from 'node:zlib'
import { Flaw } from '../errors.ts'
import { beginsWith, type Unwrapper } from './unwrapper.ts'

/** Large pieces are half as fast again as zlib's own of 16 KiB (lessons.md, "Decompression and Node facts"). */
const chunkSize = 1_048_576

type Done = (error?: Error | null) => void

/**
 * zlib's gunzip reads concatenated members, and ends quietly at a zero byte behind one, whatever follows. Zeros up to the
 * end are padding; anything else behind the last member is no part of the archive and refused here.
 */
class GzipReader extends Duplex {
  readonly #gunzip: Gunzip = createGunzip({ chunkSize })
  #written = 0
  /** Whether the last member has ended and a zero byte followed; zlib must not see what comes then. */
  #padded = false
  #ended = false

  constructor() {
    super({ readableHighWaterMark: chunkSize })
    this.#gunzip.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) this.#gunzip.pause()
    })
    this.#gunzip.on('error', (error) => this.destroy(this.#flaw(error)))
    this.#gunzip.on('end', () => (this.#ended = true))
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#written += chunk.length
    if (this.#padded) {
      done(this.#padding(chunk))
      return
    }
    this.#gunzip.write(chunk, (error) => {
      // The error comes by its own event as well, and is told there.
      if (error) return
      const rest = this.#unread(chunk)
      this.#padded = rest.length > 0
      done(this.#padding(rest))
    })
  }

  /** The part of the chunk that zlib left, because its archive ended before. */
  #unread(chunk: Buffer): Buffer {
    return chunk.subarray(chunk.length - (this.#written - this.#gunzip.bytesWritten))
  }

  #padding(rest: Buffer): Error | null {
    if (rest.every((byte) => byte === 0)) return null
    return corrupt(`something else follows it behind byte ${this.#gunzip.bytesWritten}`)
  }

  override _final(done: Done): void {
    const finish = () => {
      this.push(null)
      done()
    }
    if (this.#ended) {
      finish()
      return
    }
    this.#gunzip.once('end', finish)
    this.#gunzip.end()
  }

  override _read(): void {
    this.#gunzip.resume()
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#gunzip.destroy()
    done(error)
  }

  #flaw(error: Error): Error {
    const position = this.#gunzip.bytesWritten
    const cut = 'code' in error && error.code === 'Z_BUF_ERROR'
    if (cut) return corrupt(`it was cut off at byte ${this.#written}`, error)
    return corrupt(
      `it is damaged, or something else follows it, at or behind byte ${position}`,
      error,
    )
  }
}

function corrupt(what: string, cause?: Error): Flaw {
  const message = `the gzip stream is not sound: ${what} of the compressed file`
  return new Flaw('CORRUPT_ARCHIVE', message, { cause })
}

export const gzip: Unwrapper = {
  name: 'gzip',
  // RFC 1952, 2.3: the two bytes and the one method there is, deflate.
  matches: (head) => beginsWith(head, [0x1f, 0x8b, 0x08]),
  open: () => new GzipReader(),
}
