import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { within } from '../deadline.ts'
import type { Cluster } from './cluster.ts'

export type Passed = {
  readonly side: 'cluster' | 'service'
  readonly method: string
  /** With the query. */
  readonly path: string
}

type Stop = {
  readonly nth: number
  /** Whether the request still reaches the other side; its answer is lost either way. */
  readonly when: 'before' | 'after'
  readonly act: () => Promise<unknown>
  readonly reached: () => void
}

export type TollOptions = {
  readonly cluster: Cluster
  /** `http://address:port`, which may change. */
  readonly service: () => string
  /** Those that count; everything unless said otherwise. What a clock sends, such as the renewal of a Lease, should not. */
  readonly counts?: (passed: Passed) => boolean
}

/**
 * Stands before the API server and the service, and can stop whoever comes through at the n-th request. Callers show
 * tokens: a client certificate ends here.
 */
export async function startToll(options: TollOptions): Promise<Toll> {
  const { ca, server } = options.cluster.credentials
  const [authority, cert, key] = await Promise.all(
    [ca, server.cert, server.key].map((file) => readFile(file)),
  )
  const toll = new Toll(options, new https.Agent({ ca: authority, keepAlive: true }))
  await toll.listen({ cert, key })
  return toll
}

export class Toll implements AsyncDisposable {
  readonly #options: TollOptions
  readonly #agents: { readonly cluster: https.Agent; readonly service: http.Agent }
  readonly #servers: Server[] = []
  readonly #open = new Set<Socket>()
  /** Those that count, in order. */
  readonly passed: Passed[] = []
  #stop: Stop | null = null

  constructor(options: TollOptions, cluster: https.Agent) {
    this.#options = options
    this.#agents = { cluster, service: new http.Agent({ keepAlive: true }) }
  }

  /** The API server through here; its certificate is that of the cluster. */
  get cluster(): string {
    return `https://127.0.0.1:${this.#port(0)}`
  }

  get service(): string {
    return `http://127.0.0.1:${this.#port(1)}`
  }

  async listen(tls: https.ServerOptions): Promise<void> {
    const on = (side: Passed['side']): RequestListener => {
      return (request, response) => void this.#take(side, request, response)
    }
    this.#servers.push(https.createServer(tls, on('cluster')), http.createServer(on('service')))
    for (const server of this.#servers) {
      server.on('connection', (socket: Socket) => this.#keep(socket)).listen(0, '127.0.0.1')
      await once(server, 'listening')
    }
  }

  /**
   * Resolves when the n-th request from now on (from 1) has come and `act`, which may kill who sent it, is done.
   * Requests after it pass.
   */
  async stopAt(nth: number, when: Stop['when'], act: Stop['act'], limit = 60_000): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#stop = { nth: this.passed.length + nth, when, act, reached: resolve }
    await within(limit, `request ${nth}`, promise)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#servers.map((server) => once(server, 'close'))
    for (const server of this.#servers) server.close()
    for (const socket of this.#open) socket.destroy()
    for (const agent of Object.values(this.#agents)) agent.destroy()
    await Promise.all(closed)
  }

  async #take(
    side: Passed['side'],
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const stop = this.#due({ side, method: request.method ?? '', path: request.url ?? '' })
    if (stop?.when !== 'before') {
      const answer = await this.#forward(side, request, response)
      if (!answer) return void response.destroy()
      if (!stop) return await pass(answer, response)
      await answer.toArray()
    }
    await stop.act()
    response.destroy()
    stop.reached()
  }

  #due(passed: Passed): Stop | null {
    if (this.#options.counts?.(passed) === false) return null
    this.passed.push(passed)
    const stop = this.#stop
    if (stop?.nth !== this.passed.length) return null
    this.#stop = null
    return stop
  }

  /** @returns the answer; null when there is none, or when nobody waits for it any more */
  async #forward(
    side: Passed['side'],
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<IncomingMessage | null> {
    const { cluster, service } = this.#options
    const target = new URL(request.url ?? '/', side === 'cluster' ? cluster.server : service())
    const { method, headers } = request
    const options = { method, headers: { ...headers, host: target.host } }
    const onward =
      side === 'cluster'
        ? https.request(target, { ...options, agent: this.#agents.cluster })
        : http.request(target, { ...options, agent: this.#agents.service })
    response.once('close', () => onward.destroy())
    const answered = once(onward, 'response').then(
      ([answer]: IncomingMessage[]) => answer ?? null,
      () => null,
    )
    await pipeline(request, onward).catch(() => onward.destroy())
    return await answered
  }

  #keep(socket: Socket): void {
    this.#open.add(socket)
    socket.on('error', () => socket.destroy()).once('close', () => this.#open.delete(socket))
  }

  #port(index: number): number {
    const address = this.#servers[index]?.address() as AddressInfo
    return address.port
  }
}

/** As it comes, so that a watch and a stream of events pass. Whoever breaks off, the other side hears of it. */
async function pass(answer: IncomingMessage, response: ServerResponse): Promise<void> {
  response.writeHead(answer.statusCode ?? 502, answer.headers)
  response.flushHeaders()
  await pipeline(answer, response).catch(() => response.destroy())
}
