import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import type { Listen } from '../env.ts'
import type { KeyPair } from '../tls/pair.ts'
import { endOf } from '../unless.ts'
import { taken } from './taken.ts'
import { Crowd } from './webhook/crowd.ts'
import { routesOf, type ReviewLimits, type RoutesOptions } from './webhook/routes.ts'

export type WebhookOptions = Omit<RoutesOptions, 'limits'> & {
  readonly limits?: Partial<WebhookLimits>
}

/** What the API server may ask of the listener; times in milliseconds. */
export type WebhookLimits = ReviewLimits & {
  readonly headersTimeout: number
  /** To the last byte of the body. */
  readonly requestTimeout: number
  /** At the same time. */
  readonly connections: number
}

const usual: WebhookLimits = {
  headersTimeout: 5000,
  requestTimeout: 10_000,
  connections: 200,
  // Two objects of up to 3 MiB, written as JSON.
  body: 8 * 1024 ** 2,
  // The largest of them, and usual ones beside it.
  bodies: 64 * 1024 ** 2,
  // The API server waits for 5 seconds.
  answeredWithin: 4000,
}

/** The listener that the API server asks about classes and machines (admission webhooks), over HTTPS alone. */
export class Webhook implements AsyncDisposable {
  /** With the port that was really taken. */
  readonly address: Listen
  readonly #server: Server
  readonly #answers: Answers
  readonly #crowd: Crowd
  #hasCertificate = false

  private constructor(server: Server, address: Listen, answers: Answers, crowd: Crowd) {
    this.#server = server
    this.#answers = answers
    this.address = address
    this.#crowd = crowd
  }

  /**
   * Every handshake fails until there is a certificate.
   * @throws Refusal UNSUPPORTED when the address is taken
   */
  static async open(listen: Listen, options: WebhookOptions): Promise<Webhook> {
    const limits = { ...usual, ...options.limits }
    const { headersTimeout, requestTimeout, connections } = limits
    const server = createServer({
      headersTimeout,
      requestTimeout,
      handshakeTimeout: headersTimeout,
      // The API server closes idle connections after 90 seconds; ours must not be the first to close.
      keepAliveTimeout: 120_000,
      // Late heads are looked for so often.
      connectionsCheckingInterval: Math.min(1000, headersTimeout),
      minVersion: 'TLSv1.2',
    })
    const answers = new Answers(limits.answeredWithin)
    answer(server, answers, { ...options, limits })
    const crowd = new Crowd(connections)
    server.on('connection', (socket: Socket) => crowd.add(socket))
    const address = await taken(server, listen, 'SLIPWAY_WEBHOOK_LISTEN')
    return new Webhook(server, address, answers, crowd)
  }

  get hasCertificate(): boolean {
    return this.#hasCertificate
  }

  /** For handshakes from now on; connections that are open keep what they have agreed on. */
  use({ cert, key }: Pick<KeyPair, 'cert' | 'key'>): void {
    this.#server.setSecureContext({ cert, key, minVersion: 'TLSv1.2' })
    this.#hasCertificate = true
  }

  /** Takes no more, and lets what was asked for be answered. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    await this.#answers.end()
    this.#crowd.destroy()
    await closed
  }
}

/** Answers that are under way. */
class Answers {
  readonly #open = new Set<ServerResponse>()
  readonly #within: number
  #isEnding = false

  constructor(within: number) {
    this.#within = within
  }

  add(outgoing: ServerResponse): void {
    this.#open.add(outgoing)
    outgoing.once('close', () => this.#open.delete(outgoing))
    if (this.#isEnding) sayLast(outgoing)
  }

  /** Each connection ends with the answer that it waits for. */
  async end(): Promise<void> {
    this.#isEnding = true
    for (const outgoing of this.#open) sayLast(outgoing)
    const ends = Array.from(this.#open, (outgoing) => once(outgoing, 'close'))
    await endOf(Promise.all(ends), this.#within)
  }
}

function sayLast(outgoing: ServerResponse): void {
  if (!outgoing.headersSent) outgoing.shouldKeepAlive = false
}

function answer(server: Server, answers: Answers, options: RoutesOptions): void {
  const { log } = options
  const routes = routesOf(options)
  const handle = getRequestListener((request) => routes.fetch(request), {
    overrideGlobalObjects: false,
  })
  server.on('request', (incoming, outgoing) => {
    answers.add(outgoing)
    handle(incoming, outgoing).catch((err: unknown) => {
      log.error({ err }, 'a request ended without an answer')
    })
  })
  server.on('tlsClientError', (err, { remoteAddress }) => {
    log.debug({ err, remoteAddress }, 'a TLS handshake failed')
  })
}
