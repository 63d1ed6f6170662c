import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Bug, Refusal } from '../errors.ts'
import type { ByteRange, Opened } from '../store/store.ts'
import type { Call } from './context.ts'
import { contentRange, parseRanges } from './ranges.ts'

/** Immutable bytes that can be sent in ranges. */
export type Sendable = {
  readonly size: number
  /** Strong, with its quotes. */
  readonly etag: string
  readonly contentType: string
  readonly headers: { readonly [name: string]: string }
  readonly open: (range: ByteRange, signal: AbortSignal) => Promise<Opened>
  /** All of them, where they are in memory. */
  readonly bytes?: Buffer | null
}

/**
 * Answers GET and HEAD with bytes (RFC 9110: conditions, ranges, several ranges), straight from the store to the socket.
 * Reading stops as soon as the client has gone.
 * @throws Refusal RANGE_NOT_SATISFIABLE; whatever `open` throws, as long as no header was sent
 */
export async function sendBytes(c: Call, file: Sendable): Promise<Response> {
  const { outgoing } = c.env
  const base = { ...file.headers, etag: file.etag, 'accept-ranges': 'bytes' }
  if (matches(c.req.header('if-none-match'), file.etag)) {
    return end(outgoing, 304, base)
  }
  const ranges = wanted(c, file)
  if (ranges?.length === 0) {
    c.header('content-range', `bytes */${file.size}`)
    throw new Refusal('RANGE_NOT_SATISFIABLE', `the range is outside of the ${file.size} bytes`)
  }
  const [only, ...others] = ranges ?? []
  if (only && others.length > 0) return await sendMany(c, file, ranges ?? [], base)
  return await sendOne(c, file, only ?? null, base)
}

/** Null for the whole. A range of something else than what is here (If-Range) is the whole, too. */
function wanted(c: Call, file: Sendable): readonly ByteRange[] | null {
  const condition = c.req.header('if-range')
  if (condition !== undefined && condition !== file.etag) return null
  return parseRanges(c.req.header('range'), file.size)
}

type Headers = { readonly [name: string]: string }

async function sendOne(c: Call, file: Sendable, range: ByteRange | null, base: Headers) {
  const { start, end: last } = range ?? { start: 0, end: file.size - 1 }
  const headers = {
    ...base,
    'content-type': file.contentType,
    'content-length': String(last - start + 1),
    ...(range && { 'content-range': contentRange(range, file.size) }),
  }
  const status = range ? 206 : 200
  if (c.req.method === 'HEAD' || file.size === 0) return end(c.env.outgoing, status, headers)
  const { outgoing } = c.env
  if (file.bytes) return end(outgoing, status, headers, file.bytes.subarray(start, last + 1))
  await turnOf(outgoing)
  await using body = await file.open({ start, end: last }, gone(outgoing))
  outgoing.writeHead(status, headers)
  return await send(c, last - start + 1, () => body.sendTo(outgoing))
}

async function sendMany(c: Call, file: Sendable, ranges: readonly ByteRange[], base: Headers) {
  const boundary = randomUUID()
  const parts = ranges.map((range) => ({ range, head: partHead(boundary, file, range) }))
  const close = `\r\n--${boundary}--\r\n`
  const length = parts.reduce(
    (sum, { range, head }) => sum + head.length + range.end - range.start + 1,
    close.length,
  )
  const headers = {
    ...base,
    'content-type': `multipart/byteranges; boundary=${boundary}`,
    'content-length': String(length),
  }
  if (c.req.method === 'HEAD') return end(c.env.outgoing, 206, headers)
  const { outgoing } = c.env
  await turnOf(outgoing)
  const signal = gone(outgoing)
  outgoing.writeHead(206, headers)
  return await send(c, length, () => writeParts(parts, close, file, outgoing, signal))
}

function partHead(boundary: string, file: Sendable, range: ByteRange): string {
  return `\r\n--${boundary}\r\nContent-Type: ${file.contentType}\r\nContent-Range: ${contentRange(range, file.size)}\r\n\r\n`
}

type Part = { readonly range: ByteRange; readonly head: string }

/** @returns how many bytes that were */
async function writeParts(
  parts: readonly Part[],
  close: string,
  file: Sendable,
  outgoing: ServerResponse,
  signal: AbortSignal,
): Promise<number> {
  let sent = 0
  const text = (words: string) => {
    outgoing.write(words)
    sent += words.length
  }
  for (const { range, head } of parts) {
    text(head)
    await using body = await file.open(range, signal)
    sent += await body.sendTo(outgoing)
  }
  text(close)
  return sent
}

/**
 * The head is out: a failure can only cut the connection, which the client sees by the missing bytes. A file that is
 * shorter than it should be is such a failure; the client would wait for the rest for ever.
 */
async function send(c: Call, length: number, write: () => Promise<number>): Promise<Response> {
  const { outgoing } = c.env
  try {
    const sent = await write()
    if (sent !== length) throw new Bug(`${sent} of ${length} bytes were there to be sent`)
    outgoing.end()
  } catch (error) {
    const level = outgoing.destroyed ? 'debug' : 'error'
    c.get('log')[level]({ err: error }, 'the bytes could not be sent')
    outgoing.destroy()
  }
  return RESPONSE_ALREADY_SENT
}

function end(outgoing: ServerResponse, status: number, headers: Headers, bytes?: Buffer): Response {
  outgoing.writeHead(status, headers).end(bytes)
  return RESPONSE_ALREADY_SENT
}

/**
 * Requests that were sent one behind the other are answered in that order: what stands behind opens no file and takes no
 * memory before. When the connection breaks first its turn never comes, and nothing is left of it.
 */
export async function turnOf(outgoing: ServerResponse): Promise<void> {
  if (outgoing.socket) return
  await new Promise<void>((resolve) => outgoing.once('socket', () => resolve()))
}

/** Ends when the client has gone, as a broken connection does. */
export function gone(outgoing: ServerResponse): AbortSignal {
  const controller = new AbortController()
  outgoing.once('close', () => controller.abort(connectionClosed()))
  return controller.signal
}

function connectionClosed(): Error {
  return Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })
}

/** RFC 9110 section 13.1.2, weak comparison. */
export function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.split(',').some((part) => {
    const tag = part.trim().replace(/^W\//, '')
    return tag === '*' || tag === etag
  })
}
