import type { IncomingHttpHeaders } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { Client, type Dispatcher } from 'undici'

/** An answer takes no longer than this to begin, and its body never rests for so long; in milliseconds. */
const patience = 180_000
/** So often one request is told to come again; whoever is told more often is not served at all. */
const mostBusy = 60
/** Nobody waits longer than this before he comes again, in milliseconds. */
const longestPause = 5000

export type Question = {
  readonly method?: Dispatcher.HttpMethod
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer | Uint8Array | string
}

export type Answer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** The connection failed, or was refused. */
export class Unanswered extends Error {}

/** Somebody was told to come again more often than he would. */
export class Busy extends Error {}

/** What all lines have been answered. */
export class Tally {
  readonly statuses = new Map<number, number>()
  /** Answers that told when to come again. */
  busy = 0
  answers = 0

  count(status: number): void {
    this.answers += 1
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
  }
}

/** A client with one connection, which it keeps. Nothing is tried again but what was told to come again. */
export class Line implements AsyncDisposable {
  readonly #client: Client
  readonly #tally: Tally

  readonly #mostBusy: number

  /** @param patient how often it comes again when it is told so */
  constructor(base: string, tally: Tally, patient = mostBusy) {
    this.#mostBusy = patient
    const waits = { headersTimeout: patience, bodyTimeout: patience, connectTimeout: patience }
    this.#client = new Client(base, { pipelining: 1, ...waits })
    this.#tally = tally
  }

  /** @throws Error unless the status is one of these, or when the connection fails */
  async ask(path: string, statuses: readonly number[], question: Question = {}): Promise<Answer> {
    for (let busy = 0; ; busy += 1) {
      const { statusCode, headers, body } = await this.#request(path, question)
      const bytes = await bytesOf(body, path)
      if (statuses.includes(statusCode)) return { status: statusCode, headers, body: bytes }
      const wait = comeAgain(statusCode, headers)
      const asked = `${question.method ?? 'GET'} ${path}`
      if (wait !== null && busy === this.#mostBusy)
        throw new Busy(`${asked} was answered ${statusCode}`)
      if (wait === null) {
        throw new Error(`${asked} was answered ${statusCode}: ${bytes.subarray(0, 500).toString()}`)
      }
      this.#tally.busy += 1
      await pause(Math.min(wait, longestPause))
    }
  }

  /** @param status of an answer whose bytes are wanted. @returns the status that came */
  async stream(
    path: string,
    status: number,
    headers: Readonly<Record<string, string>>,
    take: (chunk: Buffer) => void,
  ): Promise<number> {
    const { statusCode, body } = await this.#request(path, { headers })
    if (statusCode === status) for await (const chunk of body) take(chunk)
    else await body.dump()
    return statusCode
  }

  /** Hears a stream until the signal ends it. @throws Error when the service ends it */
  async listen(path: string, heard: () => void, signal: AbortSignal): Promise<void> {
    try {
      const { statusCode, body } = await this.#request(path, {}, signal)
      if (statusCode !== 200) throw new Error(`GET ${path} was answered ${statusCode}`)
      for await (const _ of body) heard()
    } catch (error) {
      if (signal.aborted) return
      throw error
    }
    throw new Error(`GET ${path} was ended by the service`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.destroy()
  }

  async #request(
    path: string,
    { method = 'GET', headers = {}, body }: Question,
    signal?: AbortSignal,
  ) {
    const sent = body === undefined ? {} : { body }
    const ending = signal ? { signal } : {}
    try {
      const answer = await this.#client.request({ path, method, headers, ...sent, ...ending })
      this.#tally.count(answer.statusCode)
      return answer
    } catch (cause) {
      throw new Unanswered(`${method} ${path} was not answered`, { cause })
    }
  }
}

async function bytesOf(body: Dispatcher.ResponseData['body'], path: string): Promise<Buffer> {
  try {
    return Buffer.from(await body.arrayBuffer())
  } catch (cause) {
    throw new Unanswered(`the answer of ${path} was cut`, { cause })
  }
}

/** Milliseconds to wait, where the service says so; null for every other answer. */
function comeAgain(status: number, headers: IncomingHttpHeaders): number | null {
  if (status !== 429 && status !== 503) return null
  const seconds = Number(headers['retry-after'] ?? Number.NaN)
  return Number.isNaN(seconds) ? null : seconds * 1000
}
