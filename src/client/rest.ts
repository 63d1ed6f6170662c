import { request } from 'undici'
import { z } from 'zod'
import { errno, Outage, Refusal } from '../errors.ts'

export type RestOptions = {
  /** Where the service is, without a slash at the end. */
  readonly base: string
  /** Shown as a bearer token; null for none. */
  readonly token: string | null
  readonly userAgent: string
}

/** From a request to the end of its answer, in milliseconds. */
const patience = 60_000
/** Characters of an answer that is no JSON, for the message. */
const shown = 200

const problem = z.object({ detail: z.string() })

/** The service's REST interface (http-api, "REST"), as its commands and the companion use it. */
export class Rest {
  readonly #options: RestOptions

  constructor(options: RestOptions) {
    this.#options = options
  }

  /**
   * @param path with its leading slash
   * @throws Outage SERVICE_UNREACHABLE when nobody answers; Refusal UNSUPPORTED with what the service says
   */
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

  async #ask(
    method: 'GET' | 'POST',
    path: string,
    body: string | null,
    signal: AbortSignal,
  ): Promise<unknown> {
    const { base } = this.#options
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(patience)])
    const asked = { method, headers: this.#headers(body), body, signal: bounded } as const
    const answer = await this.#reach(() => request(base + path, asked), signal)
    const text = await this.#reach(() => answer.body.text(), signal)
    return read(text, answer.statusCode, base)
  }

  #checked<Value>(schema: z.ZodType<Value>, value: unknown): Value {
    const result = schema.safeParse(value)
    if (result.success) return result.data
    throw new Refusal(
      'UNSUPPORTED',
      `${this.#options.base} answers as no Slipway of this version does`,
      { cause: result.error },
    )
  }

  #headers(body: string | null): Record<string, string> {
    const { token, userAgent } = this.#options
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
      signal.throwIfAborted()
      const { base } = this.#options
      const why = errno(cause) ?? (cause instanceof Error ? cause.message : 'unknown')
      throw new Outage('SERVICE_UNREACHABLE', `${base} does not answer (${why})`, { cause })
    }
  }
}

function read(text: string, status: number, base: string): unknown {
  const value = parsed(text)
  if (status >= 200 && status < 300 && value !== undefined) return value
  const told = problem.safeParse(value)
  const said = told.success ? told.data.detail : text.slice(0, shown).trim()
  throw new Refusal('UNSUPPORTED', `${base} answered ${status}: ${said}`)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
