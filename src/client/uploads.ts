import type { Readable } from 'node:stream'
import { request, type Dispatcher } from 'undici'
import { z } from 'zod'
import { Failure } from '../errors.ts'
import { imageSchema } from '../image/status.ts'
import type { Image } from './images.ts'
import { failureOf, parsed, stranger, unreachableBy } from './rest.ts'

const standingSchema = z.object({
  phase: z.string(),
  offset: z.coerce.number(),
  length: z.coerce.number().optional(),
})

/** How an upload stands: bytes that are there, and bytes of the file that was begun. */
export type Standing = z.output<typeof standingSchema>

/** What of a file is sent. */
export type Portion = {
  readonly body: Readable
  readonly from: number
  /** Bytes of the whole file; null where nobody knows. */
  readonly size: number | null
  /** Of the whole file, base64, where it is known before. */
  readonly sha256: string | null
}

/** From a question to the end of its answer; and without a byte on the way, in milliseconds. */
const patience = 30_000
const silence = 120_000

/**
 * Where the bytes of one image go (http-api, "Uploads"). Everything here throws Outage SERVICE_UNREACHABLE when the connection
 * breaks, else what the service says.
 */
export class UploadAddress {
  readonly #url: string
  readonly #userAgent: string

  /** @param url with its token, which is a secret */
  constructor(url: string, userAgent: string) {
    this.#url = url
    this.#userAgent = userAgent
  }

  async look(signal: AbortSignal): Promise<Standing> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(patience)])
    const answer = await this.#ask({ method: 'GET', signal: bounded }, signal)
    const { data, error } = standingSchema.safeParse(answer)
    if (data) return data
    throw stranger(new URL(this.#url).origin, error)
  }

  /** Resolves with the image once it is Ready; null when more has to come. */
  async send(portion: Portion, signal: AbortSignal): Promise<Image | null> {
    const { body } = portion
    const headers = headersOf(portion)
    const times = { headersTimeout: silence, bodyTimeout: silence }
    try {
      const answer = await this.#ask({ method: 'PUT', body, headers, signal, ...times }, signal)
      return imageSchema.safeParse(answer).data ?? null
    } finally {
      body.destroy()
    }
  }

  /** The image fails, and what was sent goes. */
  async giveUp(signal: AbortSignal): Promise<void> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(patience)])
    await this.#ask({ method: 'DELETE', signal: bounded }, signal)
  }

  async #ask(asked: Asked, signal: AbortSignal): Promise<unknown> {
    const base = new URL(this.#url).origin
    const headers = { ...asked.headers, 'user-agent': this.#userAgent }
    let answer: Dispatcher.ResponseData, text: string
    try {
      answer = await request(this.#url, { ...asked, headers })
      text = await answer.body.text()
    } catch (cause) {
      // What the body itself has to say.
      if (cause instanceof Failure) throw cause
      throw unreachableBy(base, cause, signal)
    }
    if (answer.statusCode >= 300) throw failureOf(text, answer.statusCode, base)
    return parsed(text)
  }
}

type Asked = Pick<Dispatcher.RequestOptions, 'method'> & {
  readonly body?: Readable
  readonly headers?: { readonly [name: string]: string }
  readonly signal: AbortSignal
  readonly headersTimeout?: number
  readonly bodyTimeout?: number
}

function headersOf({ from, size, sha256 }: Portion): { readonly [name: string]: string } {
  return {
    'content-type': 'application/octet-stream',
    ...(size !== null && {
      'content-length': String(size - from),
      'content-range': `bytes ${from}-${size - 1}/${size}`,
    }),
    ...(sha256 !== null && { 'repr-digest': `sha-256=:${sha256}:` }),
  }
}
