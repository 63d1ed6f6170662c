import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { opened, type Where } from './raw-http.ts'

/** How a client keeps a server waiting. */
export const ways = ['silent', 'head', 'half', 'body', 'unread', 'handshake'] as const
export type Way = (typeof ways)[number]

export type Ended = { readonly text: string; readonly milliseconds: number }

/** A byte of what trickles in comes so often, in milliseconds. */
const pace = 1000

const field = 'X-Slow: '
const firsts: { readonly [way in Way]: (path: string) => string } = {
  silent: () => '',
  head: (path) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${field}`,
  half: (path) => `GET ${path} HTTP/1.1\r\nHost: `,
  body: (path) =>
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{`,
  unread: (path) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`,
  // A record of 512 bytes that is to hold a ClientHello (RFC 8446 sections 4 and 5.1).
  handshake: () => '\x16\x03\x01\x02\x00\x01',
}
const trickles: ReadonlySet<Way> = new Set(['head', 'body'])

/** A client that takes its time, until it is disposed of. */
export class SlowClient implements Disposable {
  readonly way: Way
  /** Resolves when the server has ended the connection. */
  readonly ended: Promise<Ended>
  readonly #socket: Socket
  readonly #timer: NodeJS.Timeout | null

  private constructor(way: Way, socket: Socket) {
    const begun = performance.now()
    this.way = way
    this.#socket = socket
    this.#timer = trickles.has(way) ? setInterval(() => socket.write('x'), pace) : null
    let text = ''
    if (way === 'unread') socket.pause()
    else socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    // A reset is an end like another one.
    const closed = new Promise((close) => socket.on('error', () => {}).once('close', close))
    this.ended = closed.then(() => {
      if (this.#timer) clearInterval(this.#timer)
      return { text, milliseconds: performance.now() - begun }
    })
  }

  /** @param path of what it asks for */
  static async begin(way: Way, where: Where, path: string): Promise<SlowClient> {
    const { port } = where
    const socket = way === 'handshake' ? connect(port, '127.0.0.1') : await opened(where)
    if (way === 'handshake') await once(socket, 'connect')
    const client = new SlowClient(way, socket)
    socket.write(Buffer.from(firsts[way](path), 'latin1'))
    return client
  }

  [Symbol.dispose](): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#socket.destroy()
  }
}

/** Open descriptors of a process. */
export async function descriptors(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length
}

/** Bytes of memory that a process holds now (proc(5), VmRSS). */
export async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}
