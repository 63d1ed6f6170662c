import { once } from 'node:events'
import { request, type ClientRequest, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'

export type Sending = {
  readonly url: string
  /** Bytes of the whole. */
  readonly size: number
  /** The file's bytes; at most 64 KiB are asked for. */
  readonly read: (length: number, offset: number) => Buffer
  /** The nth request breaks off after so many bytes; the first beyond these goes on to the end. */
  readonly cuts: readonly Cut[]
}

export type Cut = { readonly after: number; readonly how: 'end' | 'reset' }

export type Sent = {
  /** Bytes that were handed to connections, over all requests. */
  readonly sent: number
  readonly requests: number
  /** The image, as the last answer showed it. */
  readonly body: string
}

type Reply = { readonly status: number; readonly headers: IncomingMessage['headers']; body: string }

const pieceSize = 64 * 1024
/**
 * Milliseconds that an upload may be held by a request that is over, at a time: the service takes first what lies in the
 * buffers of the connection, megabytes of each of two hundred on a disk that may be slow.
 */
const heldFor = 300_000
/** Milliseconds before a held upload is asked for again. */
const patience = 100
/** Requests beyond those that are cut: one for each answer that tells another offset. */
const mostMore = 20

/**
 * Sends a file and goes on where the service says until it says 201, as a client would that knows `Upload-Offset`.
 * @throws Error for any other answer than 201, 409 with an offset, and 423 for a while
 */
export async function sendResuming(sending: Sending): Promise<Sent> {
  const { url, size, cuts } = sending
  let until = Date.now() + heldFor
  let sent = 0
  let from: number | null = null
  for (let nth = 0; nth < cuts.length + mostMore; nth += 1) {
    const put = new Put(sending, from ?? 0, from !== null)
    const reply = await put.run(cuts[nth] ?? null)
    sent += put.sent
    if (reply?.status === 201) return { sent, requests: nth + 1, body: reply.body }
    // An answer before the end of the body may be lost with the connection.
    const isHeld = reply?.status === 423 || (reply === null && !put.wasCut)
    if (!isHeld) until = Date.now() + heldFor
    if (isHeld && Date.now() < until) {
      // It was no request of its own: the next one is cut where this one should have been.
      nth -= 1
      await setTimeout(patience)
    } else if (reply && !(reply.status === 409 && 'upload-offset' in reply.headers)) {
      throw unexpected(url, reply)
    }
    from = await offsetOf(url)
    if (from > size) throw new Error(`${url} has ${from} of ${size} bytes`)
  }
  throw new Error(`${url} was not done after ${cuts.length + mostMore} requests`)
}

/** What the service has of an upload. */
async function offsetOf(url: string): Promise<number> {
  const asked = request(url, { method: 'HEAD', agent: false })
  asked.end()
  const reply = await replyOf(asked)
  const offset = Number(reply.headers['upload-offset'] ?? Number.NaN)
  if (reply.status === 200 && Number.isSafeInteger(offset)) return offset
  throw unexpected(url, reply)
}

/** One request that sends the file from an offset on. */
class Put {
  sent = 0
  readonly #sending: Sending
  readonly #from: number
  readonly #request: ClientRequest
  /** It was broken off as it was meant to be. */
  wasCut = false
  #isAnswered = false

  constructor(sending: Sending, from: number, isPart: boolean) {
    const { url, size } = sending
    this.#sending = sending
    this.#from = from
    this.#request = request(url, {
      method: 'PUT',
      agent: false,
      headers: {
        'content-length': size - from,
        ...(isPart && size > from && { 'content-range': `bytes ${from}-${size - 1}/${size}` }),
      },
    })
    this.#request.on('response', () => (this.#isAnswered = true))
  }

  /** Null when it was cut, or the service broke the connection without an answer. */
  async run(cut: Cut | null): Promise<Reply | null> {
    const reply = replyOf(this.#request).catch((error: unknown) => {
      if (isBreak(error)) return null
      throw error
    })
    await this.#write(cut)
    return await reply
  }

  async #write(cut: Cut | null): Promise<void> {
    const { size, read } = this.#sending
    const end = Math.min(size, this.#from + (cut?.after ?? Infinity))
    for (let at = this.#from; at < end && this.#isOpen;) {
      const piece = read(Math.min(pieceSize, end - at), at)
      if (!this.#request.write(piece)) await this.#drained()
      this.sent += piece.length
      at += piece.length
    }
    if (end === size) this.#request.end()
    else this.#cut(cut)
  }

  get #isOpen(): boolean {
    return !this.#isAnswered && !this.#request.destroyed
  }

  /** Or nobody reads any more. */
  async #drained(): Promise<void> {
    const done = new AbortController()
    const wait = (event: string) => once(this.#request, event, { signal: done.signal })
    await Promise.race(['drain', 'response', 'close'].map(wait)).catch((error: unknown) => {
      if (!isBreak(error)) throw error
    })
    done.abort()
  }

  #cut(cut: Cut | null): void {
    if (!this.#isOpen) return
    this.wasCut = true
    if (cut?.how === 'reset') this.#request.socket?.resetAndDestroy()
    this.#request.destroy()
  }
}

async function replyOf(asked: ClientRequest): Promise<Reply> {
  const reply = await new Promise<IncomingMessage>((resolve, reject) => {
    asked.once('response', resolve).on('error', reject)
    asked.once('close', () => reject(Object.assign(new Error('cut'), { code: 'ECONNRESET' })))
  })
  return { status: reply.statusCode ?? 0, headers: reply.headers, body: await text(reply) }
}

function isBreak(error: unknown): boolean {
  return error instanceof Error && 'code' in error && breaks.has(String(error.code))
}

const breaks = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_STREAM_PREMATURE_CLOSE'])

function unexpected(url: string, { status, body }: Reply): Error {
  return new Error(`${url} answered ${status}: ${body}`)
}
