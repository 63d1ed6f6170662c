import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Listen } from '../env.ts'
import type { Log } from '../log.ts'
import type { CompanionMetrics } from './metrics.ts'
import { taken } from './taken.ts'
import { Crowd } from './webhook/crowd.ts'

/** What `/readyz` says: whether the companion is of use, and lines for people. */
export type Readiness = { readonly isReady: boolean; readonly lines: readonly string[] }

export type HealthOptions = {
  readonly metrics: CompanionMetrics
  readonly readiness: () => Readiness
  readonly log: Log
  readonly limits?: Partial<HealthLimits>
}

/** What whoever reaches the port may ask of it; times in milliseconds. */
export type HealthLimits = {
  readonly headersTimeout: number
  readonly requestTimeout: number
  /** At the same time. */
  readonly connections: number
}

const usual: HealthLimits = { headersTimeout: 5000, requestTimeout: 10_000, connections: 100 }

/** The listener of `/healthz`, `/readyz` and `/metrics`. */
export class Health implements AsyncDisposable {
  /** With the port that was really taken. */
  readonly address: Listen
  readonly #server: Server

  constructor(server: Server, address: Listen) {
    this.#server = server
    this.address = address
  }

  /** @throws Refusal UNSUPPORTED when the address is taken */
  static async open(address: Listen, options: HealthOptions): Promise<Health> {
    const { connections, ...times } = { ...usual, ...options.limits }
    // Late heads and bodies are looked for so often.
    const connectionsCheckingInterval = Math.min(1000, times.headersTimeout)
    const server = createServer({ ...times, connectionsCheckingInterval }, (request, response) => {
      void answer(request.url ?? '', response, options)
    })
    const crowd = new Crowd(connections)
    server.on('connection', (socket: Socket) => crowd.add(socket))
    return new Health(server, await taken(server, address, 'SLIPWAY_CONTROLLER_LISTEN'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }
}

async function answer(url: string, response: ServerResponse, options: HealthOptions) {
  try {
    const { status, type = 'text/plain; charset=utf-8', text } = await page(url, options)
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(text)
  } catch (err) {
    options.log.error({ err, url }, 'a request ended without an answer')
    response.writeHead(500).end()
  }
}

type Page = { readonly status: number; readonly text: string; readonly type?: string }

async function page(url: string, { metrics, readiness }: HealthOptions): Promise<Page> {
  const [path] = url.split('?')
  if (path === '/healthz') return { status: 200, text: 'ok\n' }
  if (path === '/metrics') {
    return { status: 200, text: await metrics.text(), type: metrics.contentType }
  }
  if (path !== '/readyz') return { status: 404, text: 'there is /healthz, /readyz and /metrics\n' }
  const { isReady, lines } = readiness()
  return { status: isReady ? 200 : 503, text: `${lines.join('\n')}\n` }
}
