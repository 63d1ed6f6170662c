import { once } from 'node:events'
import { addAbortSignal, Readable, type Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { Bug, Failure, Outage } from '../../errors.ts'
import type { Opened } from '../store.ts'
import type { Bucket } from './bucket.ts'
import type { Stretch } from './piece.ts'

/** A connection that breaks without having brought a byte, so often in a row, is no accident any more. */
const fruitless = 5
const firstPause = 100

/**
 * The bytes of stretches, one behind the other. What breaks off is asked for from there on.
 * @param first the beginning of the first stretch, where it is on its way already
 * @throws Outage STORAGE_UNAVAILABLE when an object is missing, too short, or cannot be read
 */
export async function* bytesOf(
  bucket: Bucket,
  stretches: readonly Stretch[],
  signal: AbortSignal,
  first: Readable | null = null,
): AsyncGenerator<Uint8Array, void, undefined> {
  let begun = first
  for (const { key, start, end } of stretches) {
    let broken = 0
    for (let at = start; at <= end;) {
      const body = begun ?? (await opened(bucket, { key, start: at, end }, signal))
      begun = null
      try {
        for await (const chunk of body) {
          if (!(chunk instanceof Uint8Array)) throw new Bug('a body is made of bytes')
          at += chunk.length
          broken = 0
          yield chunk
        }
        if (at <= end) throw new Error(`it ended ${end + 1 - at} bytes early`)
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof Failure) throw error
        broken += 1
        if (broken > fruitless) throw cutOff(key, at, error)
        await pause(firstPause * 2 ** broken * Math.random(), undefined, { signal })
      } finally {
        body.destroy()
      }
    }
  }
}

async function opened(bucket: Bucket, stretch: Stretch, signal: AbortSignal): Promise<Readable> {
  const got = await bucket.get(stretch.key, stretch, signal)
  if (got && got.total > stretch.end) return got.body
  got?.body.destroy()
  throw new Outage(
    'STORAGE_UNAVAILABLE',
    `the object ${stretch.key} is missing or cut short in the bucket; delete the image and create it again`,
  )
}

function cutOff(key: string, at: number, cause: unknown): Outage {
  const message = `the object ${key} cannot be read from byte ${at} on; try again, and look at the storage`
  return new Outage('STORAGE_UNAVAILABLE', message, { cause })
}

/** A part of a blob, on its way out of the bucket. */
export class S3Body implements Opened {
  readonly #bytes: AsyncGenerator<Uint8Array, void, undefined>
  readonly #first: Readable | null
  readonly #signal: AbortSignal
  readonly #stop = new AbortController()
  readonly #close: () => void

  /**
   * @param first the beginning, which is on its way already
   * @param close called when nothing more will be read
   */
  constructor(
    bucket: Bucket,
    stretches: readonly Stretch[],
    first: Readable | null,
    signal: AbortSignal,
    close: () => void,
  ) {
    this.#signal = AbortSignal.any([signal, this.#stop.signal])
    this.#bytes = bytesOf(bucket, stretches, this.#signal, first)
    this.#first = first
    this.#close = close
    // It may break before anybody reads it; whoever does is told then.
    first?.on('error', () => {})
  }

  stream(): Readable {
    const stream = Readable.from(this.#bytes, { objectMode: false })
    stream.once('close', () => this.#end())
    return addAbortSignal(this.#signal, stream)
  }

  async sendTo(writable: Writable): Promise<number> {
    const writing = new Writing(writable, this.#signal)
    let sent = 0
    for await (const chunk of this.#bytes) {
      await writing.write(chunk)
      sent += chunk.length
    }
    await writing.settled()
    this.#signal.throwIfAborted()
    return sent
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end()
    await this.#bytes.return()
  }

  #end(): void {
    this.#stop.abort()
    this.#first?.destroy()
    this.#close()
  }
}

/** What a writable has been given and not yet taken. A connection that dies may never call back, but its signal does. */
class Writing {
  readonly #writable: Writable
  readonly #signal: AbortSignal
  #open = 0
  #failure: Error | null = null
  #idle = () => {}

  constructor(writable: Writable, signal: AbortSignal) {
    this.#writable = writable
    this.#signal = signal
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#signal.throwIfAborted()
    if (this.#failure) throw this.#failure
    this.#open += 1
    const goOn = this.#writable.write(chunk, (error) => this.#taken(error ?? null))
    if (!goOn) await once(this.#writable, 'drain', { signal: this.#signal })
  }

  async settled(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#idle = resolve
    this.#signal.addEventListener('abort', this.#idle, { once: true })
    if (this.#open > 0 && !this.#signal.aborted) await promise
    this.#signal.removeEventListener('abort', this.#idle)
    if (this.#failure) throw this.#failure
  }

  #taken(error: Error | null): void {
    this.#open -= 1
    this.#failure ??= error
    if (this.#open === 0) this.#idle()
  }
}
