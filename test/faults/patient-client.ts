import type { IncomingHttpHeaders } from 'node:http'
import { Agent } from 'undici'
import { errno } from '../../src/errors.ts'

/** Without a byte for so long a connection counts as dead, in milliseconds. */
const silence = 4_000
/** After so many attempts for one answer something is wrong that is no cable. */
const mostAttempts = 60

export type Ask = {
  readonly headers?: { readonly [name: string]: string }
  readonly body?: Uint8Array
}

export type Answer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** As much of it as came. */
  readonly body: Buffer
  readonly isWhole: boolean
}

/** Over a cable that breaks, somebody who asks again until there is an answer. */
export class PatientClient implements AsyncDisposable {
  /** Answers that did not come, or not to their end. */
  broken = 0
  readonly #base: string
  readonly #hasOutages: boolean
  readonly #agent = new Agent({
    connections: 4,
    connect: { timeout: silence },
    headersTimeout: silence,
    bodyTimeout: silence,
  })

  /** @param hasOutages whether the service may say that its storage does not answer, and is asked again */
  constructor(base: string, hasOutages = false) {
    this.#base = base
    this.#hasOutages = hasOutages
  }

  /** Null when no answer came. */
  async once(method: Method, path: string, { headers = {}, body }: Ask = {}) {
    try {
      const asked = { origin: this.#base, path, method, headers, body: body ?? null }
      const answer = await this.#agent.request(asked)
      const whole = await this.#whole(answer.statusCode, answer.headers, answer.body)
      if (!isOfHead(whole) && !(this.#hasOutages && whole.status === 503)) return whole
      this.broken += 1
      return null
    } catch (error) {
      this.#count(error)
      return null
    }
  }

  /** Only for what may be said twice. */
  async answered(method: Method, path: string, ask: Ask = {}): Promise<Answer> {
    for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
      const answer = await this.once(method, path, ask)
      if (answer?.isWhole) return answer
    }
    throw new Error(`${method} ${path} was not answered in ${mostAttempts} attempts`)
  }

  /** Reads a file in ranges, each beginning where the one before has broken off. */
  async read(path: string, size: number): Promise<Buffer> {
    const pieces: Buffer[] = []
    let at = 0
    for (let attempt = 0; at < size; attempt += 1) {
      if (attempt > mostAttempts) throw new Error(`${path} cannot be read`)
      const answer = await this.once('GET', path, { headers: { range: `bytes=${at}-` } })
      if (!answer) continue
      if (answer.status !== 206) throw new Error(`${path} answered ${answer.status}`)
      pieces.push(answer.body)
      at += answer.body.length
    }
    return Buffer.concat(pieces)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy()
  }

  async #whole(
    status: number,
    headers: IncomingHttpHeaders,
    stream: AsyncIterable<Buffer>,
  ): Promise<Answer> {
    const chunks: Buffer[] = []
    let isWhole = true
    try {
      for await (const chunk of stream) chunks.push(chunk)
    } catch (error) {
      this.#count(error)
      isWhole = false
    }
    return { status, headers, body: Buffer.concat(chunks), isWhole }
  }

  #count(error: unknown): void {
    if (!isBroken(error)) throw error
    this.broken += 1
  }
}

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

const breaks = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
])

/** What is said to a head that broke off: the connection knows of no request, so it is plain text. */
function isOfHead({ status, headers }: Answer): boolean {
  return (status === 400 || status === 408) && `${headers['content-type']}`.startsWith('text/plain')
}

function isBroken(error: unknown): boolean {
  return breaks.has(errno(error) ?? '')
}

export function headerOf({ headers }: Answer, name: string): string {
  return String(headers[name] ?? '')
}

export function told({ status, body }: Answer): string {
  return `${status}: ${body.toString().slice(0, 500)}`
}
