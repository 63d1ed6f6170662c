import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { errno } from '../errors.ts'
import { expectsContinue } from './request-body.ts'

export type HeadLimits = {
  /** From a request's first byte, or from the connection, to the end of its head, in milliseconds. */
  readonly headWithin: number
  /** Bytes of a request's head. */
  readonly headSize: number
  /** Fields of a request's head. */
  readonly headFields: number
}

/**
 * Answers what is no request, below the routes: one short sentence, and the connection ends.
 * @returns the status
 */
export function refuseHead(error: Error, socket: Duplex, limits: HeadLimits): number {
  const [status, text] = verdict(errno(error) ?? '', limits)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: text/plain',
    `Content-Length: ${text.length}`,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`, () => socket.destroy())
  return status
}

/** Answers what is a request, and asks for nothing that can be named: a target that is no path, a Host that is no name. */
export function refuseTarget(): Response {
  return new Response(noRequest, { status: 400, headers: { 'content-type': 'text/plain' } })
}

/** What a request is refused for, and its status. */
export type Fault = { readonly status: number; readonly text: string }

/**
 * What Node's parser lets through, and others between the client and this service may have understood in another way.
 * @returns null for a request that can be read in one way only
 */
export function faultOf(incoming: IncomingMessage, { headFields }: HeadLimits): Fault | null {
  const { rawHeaders, httpVersionMajor } = incoming
  // Node drops the fields above its own limit without a word, and they may be the ones that matter.
  if (rawHeaders.length > 2 * headFields) {
    return { status: 431, text: tooLarge(`more than ${headFields} fields`) }
  }
  // Scanners ask for such things; 5xx is left to what this service is to blame for.
  if (httpVersionMajor > 1) return { status: 400, text: 'this service speaks HTTP/1.1\n' }
  return hostFault(incoming) ?? codingFault(incoming) ?? expectationFault(incoming)
}

/** RFC 9112 section 3.2: one of several could be the one that somebody else went by. */
function hostFault({ headersDistinct, httpVersionMinor }: IncomingMessage): Fault | null {
  const { host = [] } = headersDistinct
  if (host.length > 1) return { status: 400, text: 'a request has one Host, not several\n' }
  if (host.length === 1 || httpVersionMinor === 0) return null
  return { status: 400, text: 'a request has to name its Host\n' }
}

/** RFC 9112 section 6.1: who speaks HTTP/1.0 knows no chunks, and may take what is in them for requests. */
function codingFault({ headers, httpVersionMinor }: IncomingMessage): Fault | null {
  const coding = headers['transfer-encoding']?.trim().toLowerCase()
  if (coding === undefined) return null
  if (httpVersionMinor === 0) return { status: 400, text: 'HTTP/1.0 has no Transfer-Encoding\n' }
  return coding === 'chunked'
    ? null
    : { status: 400, text: 'the only transfer coding that is understood is chunked\n' }
}

/** RFC 9110 section 10.1.1: HTTP/1.0 knows no expectations. */
function expectationFault(incoming: IncomingMessage): Fault | null {
  const isNone = incoming.headers.expect === undefined || incoming.httpVersionMinor === 0
  if (isNone || expectsContinue(incoming)) return null
  return { status: 417, text: 'nothing but 100-continue can be expected\n' }
}

export function refuseFault(outgoing: ServerResponse, { status, text }: Fault): void {
  const headers = { 'content-type': 'text/plain', 'content-length': text.length }
  outgoing.writeHead(status, { connection: 'close', ...headers }).end(text)
}

/**
 * Whether the bytes behind a request may be lost: Node's parser drops those that came together with one that asks for another
 * protocol, so what comes next may be the middle of something.
 */
export function asksForUpgrade({ headers }: IncomingMessage): boolean {
  return headers.upgrade !== undefined
}

function verdict(code: string, { headWithin, headSize }: HeadLimits): readonly [number, string] {
  if (code === 'HPE_HEADER_OVERFLOW') return [431, tooLarge(`more than ${headSize} bytes`)]
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return [413, 'the chunk extensions are too long\n']
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return [408, `the head of a request has to come within ${headWithin / 1000} seconds\n`]
  }
  return [400, noRequest]
}

const noRequest = 'this is no request in HTTP/1.1\n'

function tooLarge(what: string): string {
  return `the head of the request has ${what}; send less\n`
}
