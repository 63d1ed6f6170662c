import type { Dispatcher } from 'undici'
import { errno, Failure, Outage } from '../errors.ts'
import { unless } from '../unless.ts'
import { Access, type Way } from './access.ts'
import { failureOf, parsed } from './answers.ts'
import type { ClusterApi, PatchKind, Query } from './cluster-api.ts'
import { lines } from './lines.ts'
import { withoutManagedFields } from './managed-fields.ts'

export type ConnectionOptions = {
  /** The files of KUBECONFIG; null for the pod's service account or ~/.kube/config. */
  readonly kubeconfig: readonly string[] | null
  readonly userAgent: string
  /** Told of every answer, and of `none` where there is none. */
  readonly onAnswer?: (verb: string, code: string) => void
  readonly limits?: Partial<ConnectionLimits>
}

/** Milliseconds and bytes. */
export type ConnectionLimits = {
  /** From a request to the end of its answer. */
  readonly patience: number
  /** Of a watch without a byte: bookmarks come every minute or so. */
  readonly silence: number
  /** A page of a list; it is asked for in smaller ones where the objects are large. */
  readonly answer: number
  /** The API server takes objects of up to 1.5 MiB, and tells a little more with them. */
  readonly line: number
}

const usual: ConnectionLimits = {
  patience: 30_000,
  silence: 150_000,
  answer: 16 * 1024 ** 2,
  line: 8 * 1024 ** 2,
}

type Asked = {
  /** As rights name it. */
  readonly verb: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH'
  readonly path: string
  readonly query?: Query
  readonly type?: string
  readonly body?: object
}

const patchTypes = {
  merge: 'application/merge-patch+json',
  // JSON is YAML, too, and the name under which all versions know it.
  apply: 'application/apply-patch+yaml',
} as const satisfies Record<PatchKind, string>

/** The API server over connections that stay open, one pool for everything. */
export class Connection implements ClusterApi {
  readonly #options: ConnectionOptions
  readonly #limits: ConnectionLimits
  readonly #access: Access

  /** @throws Refusal UNSUPPORTED when it is not known where the API server is */
  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#limits = { ...usual, ...options.limits }
    this.#access = new Access(options.kubeconfig)
  }

  get server(): string {
    return this.#access.server
  }

  /** The namespace of the pod, or the one that the configuration names. */
  get namespace(): string | null {
    return this.#access.namespace
  }

  async get(path: string, query: Query, signal: AbortSignal): Promise<unknown> {
    const verb = 'limit' in query ? 'list' : 'get'
    return await this.#ask({ verb, method: 'GET', path, query }, signal)
  }

  async create(path: string, body: object, signal: AbortSignal): Promise<unknown> {
    return await this.#ask({ verb: 'create', method: 'POST', path, body }, signal)
  }

  async replace(path: string, body: object, signal: AbortSignal): Promise<unknown> {
    return await this.#ask({ verb: 'update', method: 'PUT', path, body }, signal)
  }

  async patch(
    path: string,
    kind: PatchKind,
    body: object,
    query: Query,
    signal: AbortSignal,
  ): Promise<unknown> {
    const type = patchTypes[kind]
    return await this.#ask({ verb: 'patch', method: 'PATCH', path, query, type, body }, signal)
  }

  async *watch(
    path: string,
    query: Query,
    signal: AbortSignal,
    opened?: () => void,
  ): AsyncGenerator {
    const asked = {
      verb: 'watch',
      method: 'GET',
      path,
      query: { ...query, watch: 'true' },
    } as const
    try {
      const { body } = await this.#accepted(asked, signal, this.#limits.silence)
      opened?.()
      for await (const line of lines(body, this.#limits.line)) yield inLine(line)
    } catch (error) {
      throw this.#failure(error, signal)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#access[Symbol.asyncDispose]()
  }

  async #ask(asked: Asked, signal: AbortSignal): Promise<unknown> {
    const { patience, answer: most } = this.#limits
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(patience)])
    try {
      const answer = await this.#accepted(asked, bounded, patience)
      const value = parsed(await textOf(answer.body, most))
      if (value !== undefined) return value
      throw new Outage(
        'CLUSTER_UNAVAILABLE',
        `${this.server} answered with something else than JSON`,
      )
    } catch (error) {
      throw this.#failure(error, signal)
    }
  }

  /** An answer of 2xx. Who is not known any more reads the credentials again, and is not known then either, or is. */
  async #accepted(asked: Asked, signal: AbortSignal, silence: number) {
    const first = await this.#send(asked, signal, silence)
    if (first.statusCode !== 401) return await this.#orFailure(first)
    await first.body.dump()
    this.#access.reload()
    return await this.#orFailure(await this.#send(asked, signal, silence))
  }

  async #orFailure(answer: Dispatcher.ResponseData): Promise<Dispatcher.ResponseData> {
    const { statusCode: status, headers, body } = answer
    if (status >= 200 && status < 300) return answer
    const header = headers['retry-after']
    const retryAfter = typeof header === 'string' ? header : undefined
    throw failureOf({ status, text: await textOf(body, this.#limits.answer), retryAfter })
  }

  async #send(
    { verb, method, path, query = {}, type, body }: Asked,
    signal: AbortSignal,
    silence: number,
  ) {
    let code = 'none'
    try {
      const { origin, prefix, headers, dispatcher } = await this.#way(signal)
      const answer = await dispatcher.request({
        origin,
        path: prefix + path,
        query,
        method,
        headers: { ...headers, ...this.#headers(body && (type ?? 'application/json')) },
        body: body ? JSON.stringify(body) : null,
        headersTimeout: this.#limits.patience,
        bodyTimeout: silence,
        signal,
      })
      code = String(answer.statusCode)
      return answer
    } finally {
      this.#options.onAnswer?.(verb, code)
    }
  }

  /** Programs that give credentials have no bound of their own. */
  async #way(signal: AbortSignal): Promise<Way> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(this.#limits.patience)])
    return await unless(bounded, this.#access.way())
  }

  #headers(type: string | undefined) {
    const { userAgent } = this.#options
    const common = { accept: 'application/json', 'user-agent': userAgent }
    return type === undefined ? common : { ...common, 'content-type': type }
  }

  /** What went wrong, as whoever asked is to know it; the reason of the signal when that has ended. */
  #failure(error: unknown, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason
    // Whatever is wrong with our own configuration, it is the API server that is not reached.
    if (error instanceof Failure && error.code.startsWith('CLUSTER_')) return error
    const code = error instanceof Failure ? null : errno(error)
    const why = code ?? (error instanceof Error ? error.message : 'unknown')
    const message = `the API server ${this.server} does not answer (${why})`
    return new Outage('CLUSTER_UNAVAILABLE', message, { cause: error })
  }
}

async function textOf(body: AsyncIterable<Uint8Array>, most: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > most) {
      throw new Outage('CLUSTER_TOO_LARGE', `the API server answers with more than ${most} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size).toString()
}

function inLine(line: string): unknown {
  const value = parsed(withoutManagedFields(line))
  if (value !== undefined) return value
  throw new Outage('CLUSTER_UNAVAILABLE', 'a line of a watch is no JSON')
}
