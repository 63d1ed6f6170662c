import { once } from 'node:events'
import {
  createServer as createHttp,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

/** What a path answers. Without anything, 200 and an empty body. */
export type Script = {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Bytes of the file; made by `content`, or given. */
  readonly size?: number
  readonly bytes?: Buffer
  /** Another seed, other bytes. */
  readonly seed?: number
  readonly etag?: string
  readonly lastModified?: string
  /** Answers Range with 206 (and If-Range as RFC 9110 says), with the part before the one asked for, or not at all. */
  readonly ranges?: 'honest' | 'lying'
  /** How the end is told; by Content-Length unless said otherwise. */
  readonly framing?: 'chunked' | 'until close'
  /** Breaks the connection after so many bytes of the body, by FIN or by RST. */
  readonly cut?: { readonly at: number; readonly how: 'end' | 'reset' }
  /** Waits before byte `at` of the body, or before the head, until the promise settles or the client leaves. */
  readonly pause?: { readonly at: number | 'head'; readonly until: Promise<unknown> }
  /** Bytes a second of each answer. */
  readonly rate?: number
}

/** A script, or what the nth request (from 1) to a path is answered. */
export type Play = Script | ((nth: number, request: IncomingMessage) => Script)

export type Seen = {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** What a POST brought. */
  readonly form: string | null
  /** Bytes of the body that were handed to the connection so far. */
  sent: number
}

export type NeighbourOptions = {
  /** Any address of 127.0.0.0/8, or ::1. */
  readonly host?: string
  readonly tls?: { readonly key: string; readonly cert: string }
}

/** A promise for `pause` that never settles. */
export const forever = new Promise<never>(() => undefined)

const blockSize = 1_048_573
const blocks = new Map<number, Buffer>()

/** Bytes `offset` to `offset + length` of the endless file that a seed stands for: a pseudo-random block, repeated. */
export function content(length: number, offset = 0, seed = 0): Buffer {
  const block = blockOf(seed)
  const result = Buffer.allocUnsafe(length)
  for (let done = 0; done < length;) {
    done += block.copy(result, done, (offset + done) % blockSize)
  }
  return result
}

function blockOf(seed: number): Buffer {
  const known = blocks.get(seed)
  if (known) return known
  const block = Buffer.alloc(blockSize)
  let state = (seed + 1) * 2_654_435_761
  for (let index = 0; index < blockSize; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    block[index] = state >>> 24
  }
  blocks.set(seed, block)
  return block
}

/** A real server on a loopback address that does what the test says, path by path. */
export async function startNeighbour(options: NeighbourOptions = {}): Promise<Neighbour> {
  const server = options.tls ? createHttps(options.tls) : createHttp()
  const neighbour = new Neighbour(server, options.tls ? 'https' : 'http')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    void neighbour.answer(request, response)
  })
  server.listen(0, options.host ?? '127.0.0.1')
  await once(server, 'listening')
  return neighbour
}

export class Neighbour implements AsyncDisposable {
  readonly requests: Seen[] = []
  /** Connections that ever came. */
  connections = 0
  /** Answers that are under way. */
  answering = 0
  /** The most that ever were. */
  atOnce = 0
  readonly #server: Server
  readonly #scheme: string
  readonly #plays = new Map<string, Play>()
  readonly #counts = new Map<string, number>()
  readonly #open = new Map<Socket, Promise<void>>()

  constructor(server: Server, scheme: string) {
    this.#server = server
    this.#scheme = scheme
    server.on('connection', (socket: Socket) => {
      this.connections += 1
      this.#open.set(
        socket,
        closeOf(socket).then(() => void this.#open.delete(socket)),
      )
    })
  }

  get port(): number {
    return this.#address.port
  }

  get #address(): AddressInfo {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('not listening')
    return address
  }

  /** Connections that are open. */
  get open(): number {
    return this.#open.size
  }

  /** The URL of a path, at the address it listens on or under another name. */
  url(path: string, host?: string): string {
    const { address, family, port } = this.#address
    const own = family === 'IPv6' ? `[${address}]` : address
    return `${this.#scheme}://${host ?? own}:${port}${path}`
  }

  /** Says what a path answers from now on, and gives its URL. */
  serve(path: string, play: Play): string {
    this.#plays.set(path, play)
    return this.url(path)
  }

  /** How often a path was asked for. */
  count(path: string): number {
    return this.#counts.get(path) ?? 0
  }

  /**
   * Resolves when no connection is open.
   * @throws the signal's reason when one is left open
   */
  async idle(signal = AbortSignal.timeout(5000)): Promise<void> {
    const late = once(signal, 'abort').then(() => signal.throwIfAborted())
    await Promise.race([Promise.all(this.#open.values()), late])
  }

  /** Breaks all connections, as a restart does. */
  breakAll(): void {
    for (const socket of this.#open.keys()) socket.resetAndDestroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#open.keys()) socket.destroy()
    await closed
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '/'
    const path = url.split('?', 1)[0] ?? '/'
    const seen: Seen = {
      method: request.method ?? '',
      path: url,
      headers: request.headers,
      form: request.method === 'POST' ? await text(request) : null,
      sent: 0,
    }
    this.requests.push(seen)
    const nth = this.count(path) + 1
    this.#counts.set(path, nth)
    const play = this.#plays.get(path) ?? { status: 404 }
    this.answering += 1
    this.atOnce = Math.max(this.atOnce, this.answering)
    response.on('close', () => (this.answering -= 1))
    await perform(typeof play === 'function' ? play(nth, request) : play, request, response, seen)
  }
}

function closeOf(socket: Socket): Promise<void> {
  return new Promise((close) => {
    socket.on('error', () => undefined).once('close', () => close())
  })
}

async function perform(
  script: Script,
  request: IncomingMessage,
  response: ServerResponse,
  seen: Seen,
): Promise<void> {
  const left = new Promise((leave) => response.on('error', leave).on('close', leave))
  if (script.pause?.at === 'head') await Promise.race([script.pause.until, left])
  const part = partOf(script, request)
  writeHead(script, part, response)
  if (request.method === 'HEAD' || part.status === 304) return void response.end()
  await writeBody(script, part, response, left, seen)
}

type Part = {
  readonly status: number
  readonly start: number
  readonly end: number
  readonly range?: string
}

/** Which bytes are sent, from `start` to before `end`, and under which status. */
function partOf(script: Script, { headers }: IncomingMessage): Part {
  const size = script.bytes?.length ?? script.size ?? 0
  const whole: Part = { status: script.status ?? 200, start: 0, end: size }
  if (isKnown(script, headers)) return { ...whole, status: 304 }
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? []
  if (!script.ranges || first === undefined || !isSame(script, headers)) return whole
  const asked = Number(first)
  if (asked >= size) return { status: 416, start: 0, end: 0, range: `bytes */${size}` }
  const start = script.ranges === 'lying' ? Math.max(asked - 1, 0) : asked
  const end = last ? Math.min(Number(last) + 1, size) : size
  return { status: 206, start, end, range: `bytes ${start}-${end - 1}/${size}` }
}

/** As RFC 9110 section 13.2.2 says: the date counts where no ETag was asked about. */
function isKnown({ etag, lastModified }: Script, headers: IncomingHttpHeaders): boolean {
  const asked = headers['if-none-match']
  if (asked !== undefined) return asked === etag
  return lastModified !== undefined && headers['if-modified-since'] === lastModified
}

function isSame({ etag, lastModified }: Script, headers: IncomingHttpHeaders): boolean {
  const wanted = headers['if-range']
  return wanted === undefined || wanted === etag || wanted === lastModified
}

function writeHead(script: Script, part: Part, response: ServerResponse): void {
  if (script.framing === 'until close') {
    response.useChunkedEncodingByDefault = false
    response.shouldKeepAlive = false
  }
  response.writeHead(part.status, {
    ...(script.framing ? {} : { 'content-length': part.end - part.start }),
    ...(script.etag === undefined ? {} : { etag: script.etag }),
    ...(script.lastModified === undefined ? {} : { 'last-modified': script.lastModified }),
    ...(part.range === undefined ? {} : { 'content-range': part.range }),
    ...script.headers,
  })
  response.flushHeaders()
}

/** The body in pieces of at most 64 KiB, with the script's pause and cut where they are due. */
async function writeBody(
  { cut, pause, bytes, seed, rate = Infinity }: Script,
  { start, end }: Part,
  response: ServerResponse,
  left: Promise<unknown>,
  seen: Seen,
): Promise<void> {
  const pauseAt = typeof pause?.at === 'number' ? start + pause.at : Infinity
  const cutAt = cut ? start + cut.at : Infinity
  const begun = performance.now()
  let at = start
  while (!response.destroyed) {
    const due = begun + ((at - start) / rate) * 1000 - performance.now()
    if (due > 0) await Promise.race([sleep(due), left])
    if (at === pauseAt) await Promise.race([pause?.until, left])
    if (at === cutAt) return breakOff(response.socket, cut?.how)
    if (at >= end) break
    const next = Math.min(at + 65_536, end, ...[pauseAt, cutAt].filter((stop) => stop > at))
    const piece = bytes?.subarray(at, next) ?? content(next - at, at, seed)
    if (!response.write(piece)) await Promise.race([once(response, 'drain'), left])
    seen.sent += next - at
    at = next
  }
  response.end()
}

function breakOff(socket: Socket | null, how: 'end' | 'reset' | undefined): void {
  if (how === 'reset') socket?.resetAndDestroy()
  else socket?.end()
}
