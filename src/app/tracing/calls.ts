import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { ClientRequest } from 'node:http'
import { SpanKind, type Span as Recorded } from '@opentelemetry/api'
import { z } from 'zod'
import { told, type Spans } from './spans.ts'

/**
 * What is read of the messages of undici (its documentation, "Diagnostics Channel Support") and of Node's own client (Node,
 * "diagnostics_channel", "HTTP"), which asks the object store. Both send them where the caller runs.
 */
const message = z.object({
  request: z.looseObject({
    method: z.string(),
    /** Of undici. */
    origin: z.union([z.string(), z.instanceof(URL)]).optional(),
    /** Of Node, with the colon. */
    protocol: z.string().optional(),
  }),
  response: z.object({ statusCode: z.number().optional() }).optional(),
})
type Message = z.output<typeof message>

/** The request itself: the same object in all messages about it. */
const subject = z.object({ request: z.custom<object>((value) => typeof value === 'object') })

/**
 * Each outgoing request as a span, where it is part of something that is traced. Where to is told by scheme, host and port:
 * paths and queries of sources may be somebody's secret.
 * @param own where the service is, which alone is told of the trace; null for nowhere
 */
export function traceCalls(spans: Spans, own: string | null): Disposable {
  const calls = new Calls(spans, own === null ? null : new URL(own).origin)
  const begin = (it: unknown) => calls.begin(it)
  const end = (it: unknown) => calls.end(it)
  const listeners = {
    'undici:request:create': begin,
    'undici:request:headers': end,
    'undici:request:error': end,
    'http.client.request.created': begin,
    'http.client.response.finish': end,
    'http.client.request.error': end,
  }
  for (const [channel, listener] of Object.entries(listeners)) subscribe(channel, listener)
  return {
    [Symbol.dispose]() {
      for (const [channel, listener] of Object.entries(listeners)) unsubscribe(channel, listener)
    },
  }
}

class Calls {
  readonly #spans: Spans
  readonly #own: string | null
  readonly #open = new WeakMap<object, Recorded>()

  constructor(spans: Spans, own: string | null) {
    this.#spans = spans
    this.#own = own
  }

  begin(it: unknown): void {
    const { request } = message.safeParse(it).data ?? {}
    const key = subject.safeParse(it).data?.request
    if (!request || !key || !this.#spans.current) return
    const url = urlOf(key, request)
    const span = this.#spans.begin(request.method, {
      kind: SpanKind.CLIENT,
      attributes: facts(request.method, url),
    })
    this.#open.set(key, span)
    if (url !== null && url.origin === this.#own) tell(key, this.#spans.headersOf(span))
  }

  /** A message without an answer is about a request that broke. */
  end(it: unknown): void {
    const key = subject.safeParse(it).data?.request
    const span = key && this.#open.get(key)
    if (!span) return
    this.#open.delete(key)
    const status = message.safeParse(it).data?.response?.statusCode
    if (status !== undefined) span.setAttribute('http.response.status_code', status)
    if (status === undefined || status >= 400) told(span).fail(String(status ?? '_OTHER'))
    this.#spans.end(span)
  }
}

function urlOf(key: object, { origin, protocol }: Message['request']): URL | null {
  const host = key instanceof ClientRequest ? key.getHeader('host') : undefined
  return URL.parse(origin === undefined ? `${protocol}//${String(host)}` : String(origin))
}

/** Requests of undici take headers until they are sent. */
function tell(request: object, headers: Readonly<Record<string, string>>): void {
  if (!('addHeader' in request) || typeof request.addHeader !== 'function') return
  for (const [name, value] of Object.entries(headers)) request.addHeader(name, value)
}

function facts(method: string, url: URL | null) {
  const port = url && (url.port || (url.protocol === 'https:' ? '443' : '80'))
  return {
    'http.request.method': method,
    ...(url && {
      'url.scheme': url.protocol.slice(0, -1),
      'server.address': url.hostname,
      'server.port': Number(port),
    }),
  }
}
