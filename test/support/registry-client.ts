import { z } from 'zod'
import { digestOf, type DigestAlgorithm } from '../../src/image/digest.ts'

/** One answer is waited for so long, in milliseconds. */
const patience = 60_000

export type Bytes = Uint8Array<ArrayBuffer>

const errorsSchema = z.object({ errors: z.tuple([z.object({ code: z.string() })]) })
const referrersSchema = z.object({ manifests: z.array(z.object({ digest: z.string() })) })
const tagsSchema = z.object({ tags: z.array(z.string()) })

export type PutManifest = {
  readonly bytes: Bytes
  readonly mediaType: string
  /** A tag or a digest, with a query perhaps. */
  readonly reference: string
}

/** A registry as its clients see it. Every call resolves with the answer, whatever that is. */
export class RegistryClient {
  readonly #base: () => string

  /** @param base where the service is: a restart may move it to another port */
  constructor(base: () => string) {
    this.#base = base
  }

  async ask(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    const signal = AbortSignal.timeout(patience)
    return await fetch(this.url(path), { method, signal, ...init })
  }

  url(path: string): string {
    return new URL(path, this.#base()).href
  }

  /** @returns the path of a new session */
  async begin(repository: string, query = ''): Promise<string> {
    const answer = await this.ask('POST', `/v2/${repository}/blobs/uploads/${query}`)
    await expectStatus(answer, 202)
    return locationOf(answer)
  }

  /** @param start null for a chunk that does not say where it lies */
  async append(session: string, body: Bytes, start: number | null): Promise<Response> {
    const range = start === null ? null : { 'content-range': rangeOf(start, body.length) }
    return await this.ask('PATCH', session, { body, headers: { ...chunkType, ...range } })
  }

  async finish(session: string, digest: string, body?: Bytes): Promise<Response> {
    const init = body ? { body, headers: chunkType } : {}
    const query = `${session.includes('?') ? '&' : '?'}digest=${digest}`
    return await this.ask('PUT', session + query, init)
  }

  /** `last` is that of the Range header: 0 is told of an empty session, too. Null when there is no session. */
  async last(session: string): Promise<number | null> {
    const answer = await this.ask('GET', session)
    if (answer.status === 404) return null
    await expectStatus(answer, 204)
    return lastOf(answer.headers.get('range'))
  }

  /** Pushes a blob in two requests and holds the answer against what it must be. */
  async push(repository: string, body: Bytes, algorithm: DigestAlgorithm = 'sha256') {
    const digest = digestOf(body, algorithm)
    const answer = await this.finish(await this.begin(repository), digest, body)
    await expectStatus(answer, 201)
    return digest
  }

  async whole(repository: string, body: Bytes): Promise<Response> {
    const query = `?digest=${digestOf(body)}`
    return await this.ask('POST', `/v2/${repository}/blobs/uploads/${query}`, {
      body,
      headers: chunkType,
    })
  }

  async mount(repository: string, digest: string, from: string | null): Promise<Response> {
    const query = `?mount=${digest}${from === null ? '' : `&from=${from}`}`
    return await this.ask('POST', `/v2/${repository}/blobs/uploads/${query}`)
  }

  async blob(method: string, repository: string, digest: string): Promise<Response> {
    return await this.ask(method, `/v2/${repository}/blobs/${digest}`)
  }

  async putManifest(repository: string, put: PutManifest): Promise<Response> {
    return await this.ask('PUT', `/v2/${repository}/manifests/${put.reference}`, {
      body: put.bytes,
      headers: { 'content-type': put.mediaType },
    })
  }

  async manifest(method: string, repository: string, reference: string): Promise<Response> {
    return await this.ask(method, `/v2/${repository}/manifests/${reference}`)
  }

  /** In the order in which they are listed, over all pages. */
  async referrers(repository: string, digest: string, query = ''): Promise<readonly string[]> {
    const found: string[] = []
    let path: string | null = `/v2/${repository}/referrers/${digest}${query}`
    while (path !== null) {
      const answer: Response = await this.ask('GET', path)
      const { manifests } = referrersSchema.parse(JSON.parse(await expectStatus(answer, 200)))
      found.push(...manifests.map((manifest) => manifest.digest))
      path = /^<(.*)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1] ?? null
    }
    return found
  }

  /** Null when there is no such repository. */
  async tags(repository: string): Promise<readonly string[] | null> {
    const answer = await this.ask('GET', `/v2/${repository}/tags/list`)
    const text = await answer.text()
    return answer.status === 404 ? null : tagsSchema.parse(JSON.parse(text)).tags
  }
}

const chunkType = { 'content-type': 'application/octet-stream' }

export function rangeOf(start: number, length: number): string {
  return `${start}-${start + length - 1}`
}

export function lastOf(range: string | null): number {
  const [, last] = /^0-(\d+)$/.exec(range ?? '') ?? []
  if (last === undefined) throw new Error(`"${range}" is no range of an upload`)
  return Number(last)
}

export function locationOf(answer: Response): string {
  const location = answer.headers.get('location')
  if (location === null) throw new Error(`${answer.url} told no location`)
  return location
}

/** @returns the body */
export async function expectStatus(answer: Response, ...statuses: number[]): Promise<string> {
  const text = await answer.text()
  if (statuses.includes(answer.status)) return text
  throw new Error(`${answer.url} answered ${answer.status} instead of ${statuses.join()}: ${text}`)
}

/** The code of a refusal. */
export async function codeOf(answer: Response): Promise<string> {
  return errorsSchema.parse(await answer.json()).errors[0].code
}

export async function bytesOf(answer: Response): Promise<Buffer> {
  return Buffer.from(await answer.arrayBuffer())
}
