import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { Client, type Dispatcher, type buildConnector } from 'undici'
import { Failure, Outage } from '../errors.ts'
import { answerFailure, unavailable } from './breaks.ts'
import { dial, type DialOptions } from './dial.ts'
import type { Kept, Way } from './kept.ts'
import { leash } from './leash.ts'
import { noProxies, proxyFor, proxyHeaders, type Proxy } from './proxies.ts'
import { unauthorized } from './proxy-breaks.ts'
import { shown, type Request } from './request.ts'

export type Answer = {
  readonly status: number
  /** The first value of a header, null when there is none. */
  readonly field: (name: string) => string | null
  /** All values of a header. */
  readonly fields: (name: string) => readonly string[]
  readonly body: Readable
  /** The proxy that handed the request on, and that may have answered in the source's place; null without one. */
  readonly proxy: Proxy | null
  /** Why the connection broke, for a body whose end is the connection's own; null when it was closed as usual. */
  readonly broke: () => Error | null
  /** Closes the connection, or gives it back to be kept; has to be called on every path. */
  readonly release: () => Promise<void>
}

export type ExchangeOptions = {
  readonly dial: DialOptions
  /** Milliseconds until the headers have come. */
  readonly headers: number
  /** Milliseconds without a byte of the body. */
  readonly silence: number
  /** For those who ask more than once. */
  readonly kept?: Kept
}

/**
 * Asks once, over a connection of its own or the one that was kept.
 * @throws Refusal SOURCE_FORBIDDEN, SOURCE_REFUSED; Outage SOURCE_UNAVAILABLE; the reason of an abort
 */
export async function ask(
  request: Request,
  headers: Readonly<Record<string, string>>,
  options: ExchangeOptions,
  signal: AbortSignal,
): Promise<Answer> {
  const kept = options.kept?.take(request.url.origin)
  if (kept) {
    try {
      return await askOver(kept, request, headers, options, signal)
    } catch (error) {
      // A server may close a connection that it has nothing to do for.
      if (!(error instanceof Outage)) throw error
    }
  }
  return await askOver(wayTo(request.url, options, signal), request, headers, options, signal)
}

async function askOver(
  way: Way,
  request: Request,
  headers: Readonly<Record<string, string>>,
  options: ExchangeOptions,
  signal: AbortSignal,
): Promise<Answer> {
  const own = leash(signal)
  const proxy = forwarderOf(request.url, options.dial)
  const close = () => {
    own.letGo()
    return way.close()
  }
  try {
    const response = await way.dispatcher.request({
      method: request.form ? 'POST' : 'GET',
      // RFC 9112 section 3.2.2: a proxy is told the whole URL.
      path: `${proxy ? request.url.origin : ''}${request.url.pathname}${request.url.search}`,
      headers: {
        ...headers,
        ...formType(request),
        ...request.secrets,
        ...(proxy && proxyHeaders(proxy)),
      },
      body: request.form?.toString() ?? null,
      signal: own.signal,
    })
    if (proxy && response.statusCode === 407) throw unauthorized(proxy)
    const release = async () => {
      if (!options.kept || !response.body.readableEnded) return await close()
      own.letGo()
      await options.kept.keep(request.url.origin, way)
    }
    return answerOf(response, { proxy, broke: way.broke, release })
  } catch (error) {
    await close()
    signal.throwIfAborted()
    if (error instanceof Failure) throw error
    throw answerFailure(error, shown(request.url), options.headers)
  }
}

/** The proxy that is asked in the source's place. An https source is asked itself, through a tunnel. */
function forwarderOf(url: URL, { proxies = noProxies }: DialOptions): Proxy | null {
  return url.protocol === 'http:' ? proxyFor(url, proxies) : null
}

function wayTo(url: URL, options: ExchangeOptions, signal: AbortSignal): Way {
  const own = leash(signal)
  const line = connectOnce(dial(options.dial, own.signal))
  const dispatcher = dispatcherFor(url, line.connector, options)
  const close = () => {
    own.letGo()
    return dispatcher.destroy()
  }
  return { dispatcher, broke: line.broke, close }
}

function formType({ form }: Request): Readonly<Record<string, string>> {
  return form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}
}

/** The one place where a way to the source is chosen. */
function dispatcherFor(
  url: URL,
  connect: buildConnector.connector,
  { headers, silence }: ExchangeOptions,
): Dispatcher {
  return new Client(url.origin, { connect, headersTimeout: headers, bodyTimeout: silence })
}

/** Undici connects anew, without end, when a connection breaks before the request is on it. */
function connectOnce(connect: buildConnector.connector) {
  let socket: Socket | null = null
  let isSpent = false
  const connector: buildConnector.connector = (target, callback) => {
    if (isSpent) return callback(unavailable('the source broke the connection at once'), null)
    isSpent = true
    return connect(target, (...result) => {
      socket = result[1]
      callback(...result)
    })
  }
  return { connector, broke: () => breakOf(socket) }
}

/** Undici closes a connection of its own accord with UND_ERR_INFO, which is no break. */
function breakOf(socket: Socket | null): Error | null {
  const error = socket?.errored ?? null
  return error && 'code' in error && error.code === 'UND_ERR_INFO' ? null : error
}

function answerOf(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  { broke, ...way }: Pick<Answer, 'proxy' | 'broke' | 'release'>,
): Answer {
  const fields = (name: string) => [headers[name] ?? []].flat()
  const field = (name: string) => fields(name)[0] ?? null
  const endsByClose = field('content-length') === null && field('transfer-encoding') === null
  return {
    status: statusCode,
    field,
    fields,
    body,
    broke: endsByClose ? broke : () => null,
    ...way,
  }
}
