import { EventEmitter, once } from 'node:events'
import {
  createServer as createHttp,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttps } from 'node:https'
import { text } from 'node:stream/consumers'
import { z } from 'zod'

/** What came in, in order; whatever it was answered. */
export type Received = {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** What it was answered, null for nothing. */
  readonly status: number | null
}

/** What to answer; null for never. */
export type Answer = { readonly status: number; readonly headers?: Record<string, string> } | null

export type ReceiverOptions = {
  readonly tls?: { readonly key: string; readonly cert: string }
  /** The same as before a restart. */
  readonly port?: number
}

const eventSchema = z.looseObject({
  id: z.string(),
  type: z.string(),
  /** Missing in a ping. */
  subject: z.string().default(''),
  time: z.string(),
  data: z.record(z.string(), z.unknown()),
})
export type Event = z.output<typeof eventSchema>

const envelopeSchema = z.object({
  events: z.array(
    z.looseObject({
      id: z.string(),
      timestamp: z.string(),
      action: z.string(),
      target: z.record(z.string(), z.unknown()),
      request: z.record(z.string(), z.unknown()),
      actor: z.record(z.string(), z.unknown()),
      source: z.record(z.string(), z.unknown()),
    }),
  ),
})
export type Notification = z.output<typeof envelopeSchema>['events'][number]

const patience = 30_000

/** Somebody who is told of events, as another program would be. */
export class Receiver implements AsyncDisposable {
  readonly requests: Received[] = []
  answer: (received: Omit<Received, 'status'>) => Answer = () => ({ status: 204 })
  readonly #server: Server
  readonly #scheme: string
  readonly #news = new EventEmitter()

  private constructor(server: Server, scheme: string) {
    this.#server = server
    this.#scheme = scheme
    server.on('request', (request, response) => {
      // Whoever breaks off in the middle of a body has sent nothing.
      this.#take(request, response).catch(() => request.destroy())
    })
  }

  static async start({ tls, port = 0 }: ReceiverOptions = {}): Promise<Receiver> {
    const server = tls ? createHttps(tls) : createHttp()
    // A client that does not trust the certificate breaks off.
    server.on('tlsClientError', () => {})
    await once(server.listen(port, '127.0.0.1'), 'listening')
    return new Receiver(server, tls ? 'https' : 'http')
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('it has no port')
    return address.port
  }

  url(path = '/hook'): string {
    return `${this.#scheme}://127.0.0.1:${this.port}${path}`
  }

  /** What was taken. */
  get taken(): readonly Received[] {
    return this.requests.filter(({ status }) => status !== null && status < 300)
  }

  /** CloudEvents that were taken; those that came twice, twice. */
  get events(): readonly Event[] {
    return this.taken
      .filter(({ headers }) => headers['content-type'] === 'application/cloudevents+json')
      .map(({ body }) => eventSchema.parse(JSON.parse(body)))
  }

  /** Resolves when what has come in holds. */
  async until(holds: (receiver: Receiver) => boolean): Promise<void> {
    const signal = AbortSignal.timeout(patience)
    while (!holds(this)) await once(this.#news, 'news', { signal })
  }

  /** Of an image or a repository, without what they all begin with. */
  typesOf(subject: string): readonly string[] {
    return this.events
      .filter((event) => event.subject === subject)
      .map(({ type }) => type.replace('dev.slipway.', ''))
  }

  /** The events of distribution's envelopes that were taken. */
  get notifications(): readonly Notification[] {
    return this.taken
      .filter(({ headers }) => headers['content-type']?.includes('docker.distribution.events'))
      .flatMap(({ body }) => envelopeSchema.parse(JSON.parse(body)).events)
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const received = {
      path: request.url ?? '',
      headers: request.headers,
      body: await text(request),
    }
    const answer = this.answer(received)
    if (answer) response.writeHead(answer.status, answer.headers).end()
    this.requests.push({ ...received, status: answer?.status ?? null })
    this.#news.emit('news')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((closed) => this.#server.close(closed))
  }
}
