import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { within } from './deadline.ts'

/** How long the other side may take for its next word, in milliseconds. */
const usually = 10_000

export type Heard = { readonly status: number; readonly text: string }

/** Opens a connection and sends the head of one request; `Connection: close`, so that its end is the end of the answer. */
export async function request(
  method: string,
  url: string,
  headers: { readonly [name: string]: string | number } = {},
): Promise<Wire> {
  const { hostname, port, host, pathname, search } = new URL(url)
  const socket = connect(Number(port), hostname)
  await within(usually, 'the connection', once(socket, 'connect'))
  const fields = Object.entries({ Host: host, Connection: 'close', ...headers })
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`)
  const wire = new Wire(socket)
  await wire.send(`${method} ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`)
  return wire
}

/** A connection by hand, for what no HTTP client does: to send less than announced, to stay silent, to break off. */
export class Wire implements Disposable {
  readonly #socket: Socket
  readonly #closed: Promise<unknown>
  #heard = ''

  constructor(socket: Socket) {
    this.#socket = socket
    this.#closed = new Promise((close) => socket.on('error', () => {}).once('close', close))
    socket.on('data', (chunk) => {
      this.#heard += chunk.toString('latin1')
    })
  }

  /** Resolves when the system has taken the bytes. */
  async send(bytes: string | Uint8Array): Promise<void> {
    const taken = new Promise<void>((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(error) : resolve()))
    })
    await within(usually, 'sending', taken)
  }

  /** Resolves when that text has come. */
  async hears(text: string): Promise<void> {
    const heard = new Promise<void>((resolve) => {
      const look = () => {
        if (this.#heard.includes(text)) resolve()
      }
      this.#socket.on('data', look)
      look()
    })
    await within(usually, `hearing "${text}"`, heard)
  }

  /** Everything that came until the other side closed; `status` is that of the first line. */
  async answer(): Promise<Heard> {
    await within(usually, 'the answer', this.#closed)
    const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(this.#heard) ?? []
    return { status: Number(status), text: this.#heard }
  }

  /** As a cable that is pulled out. */
  breakOff(): void {
    this.#socket.resetAndDestroy()
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}
