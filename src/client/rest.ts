import { request, type Dispatcher } from 'undici'
import { z } from 'zod'
import { errno, Outage, Refusal, toldFailure, type Failure } from '../errors.ts'
import type { TokenSource } from './token.ts'

export type RestOptions = {
  /** Where the service is, without a slash at the end. */
  readonly base: string
  /** Asked with each request; shown as a bearer token. */
  readonly token: TokenSource
  readonly userAgent: string
}

/** From a request to the end of its answer, in milliseconds. */
const patience = 60_000
/** Characters of an answer that is no JSON, for the message. */
const shown = 200

const problem = z.object({ detail: z.string(), code: z.string().optional() })

type Headers = Readonly<Record<string, string>>

/**
 * The service's REST interface (http-api, "REST"), as its commands and the companion use it. A refusal comes back as what
 * the service threw. All of it throws Outage SERVICE_UNREACHABLE when nobody answers, or what stands before the service
 * does, and Refusal UNSUPPORTED where something answers that is no Slipway.
 */
export class Rest {
  readonly #options: RestOptions

  constructor(options: RestOptions) {
    this.#options = options
  }

  /** @param path with its leading slash */
  async get<Value>(path: string, schema: z.ZodType<Value>, signal: AbortSignal): Promise<Value> {
    return this.#checked(schema, await this.#ask('GET', path, null, signal))
  }

  /** As `get`, with a body. */
  async post<Value>(
    path: string,
    body: object,
    schema: z.ZodType<Value>,
    signal: AbortSignal,
  ): Promise<Value> {
    return this.#checked(schema, await this.#ask('POST', path, JSON.stringify(body), signal))
  }

  async delete(path: string, signal: AbortSignal): Promise<void> {
    await this.#ask('DELETE', path, null, signal)
  }

  /**
   * An answer that goes on for as long as both sides want it to.
   * @param type what it has to be
   * @param silence milliseconds without a byte after which the connection counts as dead
   */
  async open(
    path: string,
    type: string,
    headers: Headers,
    silence: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> {
    const answer = await this.read(path, { ...headers, accept: type }, silence, signal)
    if (answer.status === 200 && isOf(answer, type)) return answer.pieces
    answer.drop()
    throw stranger(this.#options.base)
  }

  /** Bytes, read as they come. @param silence milliseconds without one after which the connection counts as dead */
  async read(path: string, headers: Headers, silence: number, signal: AbortSignal) {
    const asked = {
      method: 'GET',
      headers: { ...(await this.#headers(null)), ...headers },
    } as const
    const times = { headersTimeout: silence, bodyTimeout: silence, signal }
    const answer = await this.#send(path, { ...asked, ...times }, signal)
    const { statusCode: status, body } = answer
    if (status !== 200 && status !== 206) {
      throw failureOf(await this.#text(answer, signal), status, this.#options.base)
    }
    const drop = () => void body.on('error', () => undefined).destroy()
    return { status, headers: answer.headers, pieces: this.#pieces(answer, signal), drop }
  }

  async #ask(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body: string | null,
    signal: AbortSignal,
  ): Promise<unknown> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(patience)])
    const headers = await this.#headers(body)
    const asked = { method, headers, body, signal: bounded } as const
    const answer = await this.#send(path, asked, signal)
    const text = await this.#text(answer, signal)
    return read(text, answer.statusCode, this.#options.base)
  }

  async #send(path: string, asked: Asked, signal: AbortSignal): Promise<Answer> {
    return await this.#reach(() => request(this.#options.base + path, asked), signal)
  }

  async #text({ body }: Answer, signal: AbortSignal): Promise<string> {
    return await this.#reach(() => body.text(), signal)
  }

  async *#pieces({ body }: Answer, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of body) if (piece instanceof Uint8Array) yield piece
    } catch (cause) {
      throw this.#unreachable(cause, signal)
    }
  }

  #checked<Value>(schema: z.ZodType<Value>, value: unknown): Value {
    const result = schema.safeParse(value)
    if (result.success) return result.data
    throw stranger(this.#options.base, result.error)
  }

  async #headers(body: string | null): Promise<Record<string, string>> {
    const { userAgent } = this.#options
    const token = await this.#options.token()
    return {
      'user-agent': userAgent,
      ...(body !== null && { 'content-type': 'application/json' }),
      ...(token !== null && { authorization: `Bearer ${token}` }),
    }
  }

  async #reach<Value>(work: () => Promise<Value>, signal: AbortSignal): Promise<Value> {
    try {
      return await work()
    } catch (cause) {
      throw this.#unreachable(cause, signal)
    }
  }

  #unreachable(cause: unknown, signal: AbortSignal): Outage {
    return unreachableBy(this.#options.base, cause, signal)
  }
}

/** What broke a connection to the service. @throws the reason of the signal where that was it */
export function unreachableBy(base: string, cause: unknown, signal: AbortSignal): Outage {
  signal.throwIfAborted()
  const why = errno(cause) ?? (cause instanceof Error ? cause.message : 'unknown')
  return unreachable(`${base} does not answer (${why})`, cause)
}

type Asked = NonNullable<Parameters<typeof request>[1]>
type Answer = Pick<Dispatcher.ResponseData, 'statusCode' | 'headers' | 'body'>

function isOf({ headers }: Pick<Answer, 'headers'>, type: string): boolean {
  return String(headers['content-type'] ?? '').split(';')[0] === type
}

/** What answers is no Slipway, or one of another time. */
export function stranger(base: string, cause?: unknown): Refusal {
  return new Refusal('UNSUPPORTED', `${base} answers as no Slipway of this version does`, { cause })
}

function read(text: string, status: number, base: string): unknown {
  const isFine = status >= 200 && status < 300
  if (isFine && text === '') return null
  const value = parsed(text)
  if (isFine && value !== undefined) return value
  throw failureOf(text, status, base)
}

/** What an answer that is no success says. */
export function failureOf(text: string, status: number, base: string): Failure {
  const told = problem.safeParse(parsed(text)).data
  const known = told?.code === undefined ? null : toldFailure(told.code, told.detail)
  if (known && (known instanceof Outage || !isOutage(status))) return known
  const said = `${base} answered ${status}: ${told?.detail ?? text.slice(0, shown).trim()}`
  if (isOutage(status)) return unreachable(said)
  if (status === 401) return new Refusal('UNAUTHORIZED', said)
  return status === 403 ? new Refusal('DENIED', said) : new Refusal('UNSUPPORTED', said)
}

/** What may be over soon, whoever said it. */
function isOutage(status: number): boolean {
  return status >= 500 || status === 429
}

function unreachable(message: string, cause?: unknown): Outage {
  return new Outage('SERVICE_UNREACHABLE', message, { cause })
}

/** Undefined for what is no JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
