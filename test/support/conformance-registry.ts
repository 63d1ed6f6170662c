import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { Pool } from 'undici'
import { afterAll, beforeAll, inject } from 'vitest'
import { z } from 'zod'
import { digestOf, type Digest, type DigestAlgorithm } from '../../src/image/digest.ts'
import { mediaTypes } from '../../src/image/media-type.ts'
import { startService, type Service } from './service.ts'

/** One answer is waited for so long, in milliseconds. */
const usually = 15_000

export type Fields = { readonly [name: string]: string }
export type Asked = {
  readonly headers?: Fields
  /** Pieces are sent without a length, in chunks. */
  readonly body?: Uint8Array | string | readonly Uint8Array[]
}

/** An answer with all its bytes. */
export class Reply {
  readonly status: number
  readonly bytes: Buffer
  readonly headers: ReadonlyMap<string, readonly string[]>

  constructor(status: number, bytes: Buffer, headers: ReadonlyMap<string, readonly string[]>) {
    this.status = status
    this.bytes = bytes
    this.headers = headers
  }

  /** Null when there is none; several are joined. */
  header(name: string): string | null {
    return this.headers.get(name)?.join(', ') ?? null
  }

  json(): unknown {
    return JSON.parse(this.bytes.toString())
  }

  /** @throws Error when there is none */
  get location(): string {
    const location = this.header('location')
    if (location === null) throw new Error(`there is no Location in the answer ${this.status}`)
    const { pathname, search } = new URL(location, 'http://any')
    return pathname + search
  }

  /** Where the next page is; null behind the last. */
  get next(): string | null {
    return /^<([^>]+)>; rel="next"$/.exec(this.header('link') ?? '')?.[1] ?? null
  }
}

/** A registry as its clients see it. Paths are sent as they are written. */
export class Registry {
  readonly #pool: Pool
  readonly #headers: Fields
  readonly #patience: number
  /** `http://address:port`. */
  readonly base: string
  /** The service may have other files' tests as clients, too. */
  readonly #own = randomUUID().slice(0, 13)
  #repositories = 0

  /** @param patience for one answer, in milliseconds */
  constructor(base: string, headers: Fields = {}, patience = usually) {
    this.base = base
    this.#patience = patience
    this.#pool = new Pool(base, { connections: 8 })
    this.#headers = headers
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }

  /** A repository that nobody has used. */
  repository(): string {
    this.#repositories += 1
    return `conformance/${this.#own}/r${this.#repositories}`
  }

  async ask(method: string, path: string, { headers = {}, body }: Asked = {}): Promise<Reply> {
    const answer = await this.#pool.request({
      method,
      path,
      headers: { ...this.#headers, ...headers },
      body: Array.isArray(body) ? Readable.from(body, { objectMode: false }) : sendable(body),
      // Without this the connection of a HEAD is closed behind it.
      reset: false,
      signal: AbortSignal.timeout(this.#patience),
    })
    const found = Object.entries(answer.headers).map(
      ([name, value]) => [name, [value ?? []].flat()] as const,
    )
    return new Reply(answer.statusCode, await buffer(answer.body), new Map(found))
  }

  async get(path: string, headers: Fields = {}): Promise<Reply> {
    return await this.ask('GET', path, { headers })
  }

  async head(path: string, headers: Fields = {}): Promise<Reply> {
    return await this.ask('HEAD', path, { headers })
  }

  async delete(path: string): Promise<Reply> {
    return await this.ask('DELETE', path)
  }

  /** Begins an upload. @returns its Location */
  async begin(repository: string): Promise<string> {
    const reply = await this.ask('POST', `/v2/${repository}/blobs/uploads/`)
    return expected(reply, 202).location
  }

  async patch(location: string, body: Uint8Array, range: string | null = null): Promise<Reply> {
    const headers = {
      'content-type': 'application/octet-stream',
      ...(range !== null && { 'content-range': range }),
    }
    return await this.ask('PATCH', location, { headers, body })
  }

  /** Takes a blob in, in one request. */
  async push(repository: string, bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256') {
    const digest = digestOf(bytes, algorithm)
    const path = `/v2/${repository}/blobs/uploads/?digest=${digest}`
    expected(await this.ask('POST', path, { body: bytes }), 201)
    return digest
  }

  async put(
    repository: string,
    reference: string,
    bytes: Uint8Array,
    type: string = mediaTypes.manifest,
  ): Promise<Reply> {
    const path = `/v2/${repository}/manifests/${reference}`
    return await this.ask('PUT', path, { headers: { 'content-type': type }, body: bytes })
  }

  /** Takes in a manifest that must be taken. @returns its digest */
  async putWhole(
    repository: string,
    bytes: Uint8Array,
    { type = 'image', tag }: { readonly type?: 'image' | 'index'; readonly tag?: string } = {},
  ): Promise<Digest> {
    const digest = digestOf(bytes)
    const mediaType = type === 'image' ? mediaTypes.manifest : mediaTypes.index
    expected(await this.put(repository, tag ?? digest, bytes, mediaType), 201)
    return digest
  }

  /** Lists of names of all pages, each of which says where the next one is. */
  async pages(path: string, most = 1000): Promise<readonly (readonly string[])[]> {
    const found: (readonly string[])[] = []
    for (let next: string | null = path; next !== null && found.length < most;) {
      const reply = expected(await this.get(next), 200)
      const { tags, repositories } = listSchema.parse(reply.json())
      found.push(tags ?? repositories ?? [])
      next = reply.next
    }
    return found
  }
}

const listSchema = z.object({
  tags: z.array(z.string()).optional(),
  repositories: z.array(z.string()).optional(),
})

function sendable(body: Asked['body']): Uint8Array | string | null {
  return typeof body === 'string' || body instanceof Uint8Array ? body : null
}

/** @throws Error that shows the answer, when it has another status */
export function expected(reply: Reply, status: number): Reply {
  if (reply.status === status) return reply
  throw new Error(`${reply.status} instead of ${status}: ${reply.bytes.toString().slice(0, 500)}`)
}

/** The service that files share, for tests that have repositories of their own. To be used once they run. */
export function sharing(): { readonly registry: Registry } {
  let registry: Registry | null = null
  beforeAll(() => {
    registry = new Registry(inject('sharedService'))
  })
  afterAll(async () => {
    await registry?.close()
  })
  return {
    get registry() {
      return running(registry)
    },
  }
}

export type Serving = { readonly service: Service; readonly registry: Registry }

/** A service for the tests of one file. To be used once they run. */
export function serving(): Serving {
  let service: Service | null = null
  let registry: Registry | null = null
  beforeAll(async () => {
    service = await startService()
    registry = new Registry(service.base)
  })
  afterAll(async () => {
    await registry?.close()
    await service?.[Symbol.asyncDispose]()
  })
  return {
    get service() {
      return running(service)
    },
    get registry() {
      return running(registry)
    },
  }
}

function running<Thing>(thing: Thing | null): Thing {
  if (thing === null) throw new Error('the service does not run yet')
  return thing
}

/** Headers that belong to the content, not to the answer. */
export function contentHeaders({ headers }: Reply) {
  const others = /^(?:date|x-request-id|connection|keep-alive)$/
  return Object.fromEntries([...headers].filter(([name]) => !others.test(name)))
}
