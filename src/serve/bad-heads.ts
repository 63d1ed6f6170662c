import { STATUS_CODES, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { errno } from '../errors.ts'

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

/** Node drops the fields above its own limit without a word, and they may be the ones that matter. */
export function hasTooManyFields({ req }: ServerResponse, { headFields }: HeadLimits): boolean {
  return req.rawHeaders.length > 2 * headFields
}

export function refuseFields(outgoing: ServerResponse, { headFields }: HeadLimits): void {
  const headers = { connection: 'close', 'content-type': 'text/plain' }
  outgoing.writeHead(431, headers).end(tooLarge(`more than ${headFields} fields`))
}

function verdict(code: string, { headWithin, headSize }: HeadLimits): readonly [number, string] {
  if (code === 'HPE_HEADER_OVERFLOW') return [431, tooLarge(`more than ${headSize} bytes`)]
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return [413, 'the chunk extensions are too long\n']
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return [408, `the head of a request has to come within ${headWithin / 1000} seconds\n`]
  }
  return [400, 'this is no request in HTTP/1.1\n']
}

function tooLarge(what: string): string {
  return `the head of the request has ${what}; send less\n`
}
