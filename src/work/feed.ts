import { finished, Readable } from 'node:stream'
import { Refusal } from '../errors.ts'

/** Chunks; each body has a buffer of its own. */
const highWaterMark = 2

/** One stream out of the bodies that one request after another brings. A body that breaks does not break the stream. */
export class Feed extends Readable {
  /** Bytes of the file that were given so far, those before this stream among them. */
  position: number
  #isWanted = false
  #isDry = false
  #move: (() => void) | null = null

  /** @param start where in the file the stream begins, in bytes */
  constructor(start: number) {
    super({ objectMode: true, highWaterMark })
    this.position = start
    // Whoever fills it may have gone; its reader is told.
    this.on('error', () => {})
  }

  override read(size?: number): unknown {
    const chunk: unknown = super.read(size)
    if (size === undefined) this.#isDry = chunk === null
    if (this.#isDry) this.emit('dry')
    return chunk
  }

  /** Resolves once whoever reads the stream has done with all that was given, and asks for more; or when nobody reads it. */
  async drained(): Promise<void> {
    if (this.#isDry || this.destroyed) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.once('dry', resolve).once('close', resolve)
    await promise
    this.off('dry', resolve).off('close', resolve)
  }

  override _read(): void {
    this.#isWanted = true
    this.#move?.()
  }

  /**
   * Takes in a body, one at a time, as fast as the stream is read. When nobody reads the stream any more it ends early.
   * @param most bytes that may come
   * @throws what the body fails with; Refusal SIZE_INVALID when more comes, of which nothing is taken
   */
  async fill(body: Readable, most: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const end = this.position + most
    const move = () => {
      while (this.#isWanted) {
        const chunk: unknown = body.read()
        if (!(chunk instanceof Uint8Array)) return
        if (this.position + chunk.length > end) return reject(tooMany(most))
        this.position += chunk.length
        this.#isDry = false
        this.#isWanted = this.push(chunk)
      }
    }
    const stop = finished(body, { writable: false }, (error) => (error ? reject(error) : resolve()))
    this.once('close', resolve)
    body.on('readable', move)
    this.#move = move
    if (this.destroyed) resolve()
    else move()
    try {
      await promise
    } finally {
      stop()
      this.#move = null
      this.off('close', resolve)
      body.off('readable', move)
    }
  }

  /** All of the file was given. */
  end(): void {
    this.push(null)
  }
}

function tooMany(most: number): Refusal {
  return new Refusal('SIZE_INVALID', `more than the ${most} bytes came that were announced`)
}
