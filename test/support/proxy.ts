import { once } from 'node:events'
import {
  createServer as createHttp,
  request as ask,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttps } from 'node:https'
import { connect, type AddressInfo, type Server, type Socket } from 'node:net'
import { pipeline } from 'node:stream'

export type ProxyOptions = {
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Answers with this status in place of the source; null lets pass. */
  readonly refuse?: number | null
  /** What is done with a CONNECT instead of answering it. */
  readonly onConnect?: (socket: Socket) => void
  /** Where on this machine a `host:port` is; the same port unless said otherwise. */
  readonly port?: (target: string) => number
}

export type Asked = {
  readonly method: string
  /** The whole URL, or `host:port` of a tunnel. */
  readonly target: string
  readonly headers: IncomingHttpHeaders
}

/** A proxy for which all names are this machine's. */
export async function startProxy(options: ProxyOptions = {}): Promise<Proxy> {
  const server = options.tls ? createHttps(options.tls) : createHttp()
  const proxy = new Proxy(server, options)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return proxy
}

export class Proxy implements AsyncDisposable {
  readonly asked: Asked[] = []
  connections = 0
  readonly #server: Server
  readonly #options: ProxyOptions
  readonly #open = new Map<Socket, Promise<unknown>>()

  constructor(server: Server, options: ProxyOptions) {
    this.#server = server
    this.#options = options
    server
      .on('connection', (socket: Socket) => {
        this.connections += 1
        this.#keep(socket)
      })
      .on('secureConnection', (socket: Socket) => this.#keep(socket))
      .on('request', (request: IncomingMessage, response: ServerResponse) => {
        this.#forward(request, response)
      })
      .on('connect', (request: IncomingMessage, socket: Socket) => this.#tunnel(request, socket))
  }

  /** `host:port`. */
  get name(): string {
    const address = this.#server.address() as AddressInfo
    return `127.0.0.1:${address.port}`
  }

  /** @param user with its `@` */
  url(user = ''): string {
    return `${this.#options.tls ? 'https' : 'http'}://${user}${this.name}`
  }

  /** Resolves when no connection is open, to the proxy and from it. */
  async idle(signal = AbortSignal.timeout(5000)): Promise<void> {
    const late = once(signal, 'abort').then(() => signal.throwIfAborted())
    await Promise.race([Promise.all(this.#open.values()), late])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#open.keys()) socket.destroy()
    await closed
  }

  #keep(socket: Socket): void {
    const closed = new Promise((close) => {
      socket.on('error', () => undefined).once('close', close)
    })
    this.#open.set(
      socket,
      closed.then(() => this.#open.delete(socket)),
    )
  }

  #note({ method = '', url = '', headers }: IncomingMessage): void {
    this.asked.push({ method, target: url, headers })
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    this.#note(request)
    const { refuse } = this.#options
    if (refuse) return void response.writeHead(refuse, { 'retry-after': '7' }).end('secret page')
    const url = new URL(request.url ?? '')
    const { 'proxy-authorization': _, ...headers } = request.headers
    const onward = ask(
      {
        agent: false,
        method: request.method,
        host: '127.0.0.1',
        port: this.#port(`${url.hostname}:${url.port || 80}`),
        path: `${url.pathname}${url.search}`,
        headers,
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        pipeline(answer, response, () => undefined)
      },
    )
    onward.on('socket', (socket) => this.#keep(socket)).on('error', () => response.destroy())
    response.on('close', () => onward.destroy())
    request.pipe(onward)
  }

  #tunnel(request: IncomingMessage, socket: Socket): void {
    this.#note(request)
    const { refuse, onConnect } = this.#options
    if (onConnect) return onConnect(socket.on('end', () => socket.end()).resume())
    if (refuse) return void socket.end(`HTTP/1.1 ${refuse} No\r\n\r\nsecret page`)
    const onward = connect(this.#port(request.url ?? ''), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      onward.pipe(socket).pipe(onward)
    })
    this.#keep(onward)
    onward.on('close', () => socket.destroy())
    socket.on('close', () => onward.destroy())
  }
  #port(target: string): number {
    return this.#options.port?.(target) ?? Number(/:(\d+)$/.exec(target)?.[1])
  }
}
