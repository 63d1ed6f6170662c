import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { within } from './deadline.ts'
import type { Heard } from './wire.ts'

/** How long the other side may leave everything where it is, in milliseconds: many such bodies keep it busy. */
const patience = 90_000

/** Bytes of a body that are laid out at a time. */
const pieceSize = 16 * 1024

/** `1 CR LF byte CR LF` (RFC 9112 section 7.1): what one byte is on the wire. */
const chunkSize = 6

/** A request over a connection of its own whose body comes in chunks of one byte. */
export class TinyChunks implements Disposable {
  readonly #socket: Socket
  readonly #closed: Promise<unknown>
  #heard = ''

  private constructor(socket: Socket) {
    this.#socket = socket
    // A connection that breaks has no answer, which the caller sees.
    this.#closed = new Promise((close) => socket.on('error', () => {}).once('close', close))
    socket.on('data', (chunk) => {
      this.#heard += chunk.toString('latin1')
    })
  }

  /** Sends the head. */
  static async begin(
    method: string,
    url: string,
    headers: { readonly [name: string]: string } = {},
  ): Promise<TinyChunks> {
    const { hostname, port, host, pathname, search } = new URL(url)
    const socket = connect(Number(port), hostname)
    await within(patience, 'the connection', once(socket, 'connect'))
    const fields = { Host: host, Connection: 'close', 'Transfer-Encoding': 'chunked', ...headers }
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
    const request = new TinyChunks(socket)
    await request.#write(`${method} ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`)
    return request
  }

  /** Resolves when the other side wants the body, after a head with `Expect: 100-continue`. */
  async wanted(): Promise<void> {
    const heard = new Promise<void>((resolve) => {
      const look = () => {
        if (this.#heard.includes('100 Continue')) resolve()
      }
      this.#socket.on('data', look)
      look()
    })
    await within(patience, 'the word to send', heard)
  }

  /** Resolves when there is room for more, or nobody there to take it. */
  async send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && this.#socket.writable; at += pieceSize) {
      await this.#write(chunksOf(bytes.subarray(at, at + pieceSize)))
    }
  }

  /** Ends the body and gives the answer. */
  async end(): Promise<Heard> {
    if (this.#socket.writable) await this.#write('0\r\n\r\n')
    await within(patience, 'the answer', this.#closed)
    const [, status] = /^HTTP\/1\.1 ([2-5]\d\d) /m.exec(this.#heard) ?? []
    return { status: Number(status), text: this.#heard }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  async #write(bytes: string | Uint8Array): Promise<void> {
    if (this.#socket.write(bytes)) return
    const drained = new Promise((resolve) => this.#socket.once('drain', resolve))
    await within(patience, 'sending', Promise.race([drained, this.#closed]))
  }
}

function chunksOf(bytes: Uint8Array): Buffer {
  const chunks = Buffer.alloc(bytes.length * chunkSize, '1\r\n-\r\n')
  for (const [at, byte] of bytes.entries()) chunks[at * chunkSize + 3] = byte
  return chunks
}
