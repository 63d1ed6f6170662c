import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'

/**
 * The body of a request as a stream of its own: whoever takes it in may end it at any time, at once even while the client
 * is silent, and the request lives on for the answer. What breaks the request breaks the body with ECONNRESET.
 */
export class RequestBody extends Readable {
  readonly #incoming: IncomingMessage
  #awaited: ServerResponse | null
  readonly #take = (chunk: Buffer) => {
    if (!this.push(chunk)) this.#incoming.pause()
  }
  readonly #end = () => void this.push(null)
  readonly #fail = (error: Error) => void this.destroy(error)
  readonly #close = () => {
    if (!this.#incoming.complete) this.destroy(connectionReset())
  }

  /** @param outgoing tells a client that waits for it (Expect: 100-continue) to send, once somebody reads */
  constructor(incoming: IncomingMessage, outgoing: ServerResponse | null = null) {
    super({ objectMode: true, highWaterMark: 2 })
    this.#incoming = incoming
    this.#awaited = outgoing && expectsContinue(incoming) ? outgoing : null
    incoming.on('data', this.#take)
    incoming.on('end', this.#end)
    incoming.on('error', this.#fail)
    incoming.on('close', this.#close)
    // Nobody may be listening when the connection breaks; the failure waits for the reader.
    this.on('error', () => {})
    // A client that went away before tells nothing any more.
    if (incoming.destroyed && !incoming.complete) this.destroy(connectionReset())
    else incoming.pause()
  }

  override _read(): void {
    this.#awaited?.writeContinue()
    this.#awaited = null
    this.#incoming.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const incoming = this.#incoming
    incoming.off('data', this.#take)
    incoming.off('end', this.#end)
    incoming.off('close', this.#close)
    incoming.pause()
    // The request's own failure comes after ours at times, and has nobody else to go to.
    incoming.on('error', () => {})
    incoming.off('error', this.#fail)
    done(error)
  }
}

function connectionReset(): Error {
  return Object.assign(new Error('the connection broke'), { code: 'ECONNRESET' })
}

/** Bytes, null for a chunked body. Node's parser has refused what is no number. */
export function lengthOf({ headers }: IncomingMessage): number | null {
  const length = headers['content-length']
  if (length !== undefined) return Number(length)
  return headers['transfer-encoding'] === undefined ? 0 : null
}

/** Whether the client waits to be told to send (RFC 9110 section 10.1.1). */
export function expectsContinue({ headers }: IncomingMessage): boolean {
  return headers.expect?.toLowerCase() === '100-continue'
}
