import type { IncomingMessage } from 'node:http'
import { digestOf, type Digest } from '../../src/image/digest.ts'
import { mediaTypes } from '../../src/image/media-type.ts'
import {
  startNeighbour,
  type Neighbour,
  type NeighbourOptions,
  type Play,
  type Script,
  type Seen,
} from './http-neighbour.ts'

/** What a registry answers instead of what it should. */
export type Lie = (honest: Script) => Play

export type Descriptor = {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
}

/** How the registry asks for a token, and what is answered where it sends for one. */
export type TokenDemand = {
  /** What the registry takes; `secret` unless said otherwise. */
  readonly token?: string
  /** Where it sends for it; to itself unless said otherwise. */
  readonly realm?: string
  /** Answers under `/token`; the token unless said otherwise. */
  readonly issue?: Play
  /** Issues tokens in the registry's place. */
  readonly issuer?: Neighbour
}

export const json = (value: unknown): Script => ({
  bytes: Buffer.from(JSON.stringify(value)),
  headers: { 'content-type': 'application/json' },
})

export const redirectTo = (location: string): Script => ({ status: 302, headers: { location } })

/** Lies about blobs and manifests, to be put together at will. */
export const lies = {
  /** Other bytes of the same length. */
  otherBytes: ({ bytes = Buffer.alloc(0), ...honest }: Script): Script => ({
    ...honest,
    bytes: Buffer.from(bytes.map((byte) => byte ^ 1)),
  }),
  longer: (honest: Script): Script => ({ ...honest, bytes: grown(honest) }),
  shorter: ({ bytes, ...honest }: Script): Script => ({
    ...honest,
    bytes: Buffer.from(bytes?.subarray(0, -1) ?? ''),
  }),
  /** Longer, without a length that says so. */
  longerInChunks: (honest: Script): Script => ({
    ...honest,
    bytes: grown(honest),
    framing: 'chunked',
  }),
  /** Never ends, and does not say how long it is. */
  endless: ({ headers = {} }: Script): Script => ({
    headers,
    size: Number.MAX_SAFE_INTEGER,
    framing: 'chunked',
  }),
  /** The first answer breaks after `at` bytes; ranges are honest afterwards. */
  cutOnce:
    (at: number, how: 'end' | 'reset' = 'end'): Lie =>
    (honest) =>
    (nth) =>
      nth === 1 ? { ...honest, cut: { at, how } } : honest,
  /** Every answer breaks after `at` bytes of what was asked for. */
  cutAlways:
    (at: number): Lie =>
    (honest) => ({ ...honest, cut: { at, how: 'end' } }),
  /** Breaks once, and then knows no ranges. */
  cutWithoutRanges:
    (at: number): Lie =>
    ({ bytes = Buffer.alloc(0), headers = {} }) =>
    (nth) =>
      nth === 1 ? { bytes, headers, cut: { at, how: 'end' } } : { bytes, headers },
  /** Breaks once, and then gives other ranges than those that were asked for. */
  cutThenLying:
    (at: number): Lie =>
    (honest) =>
    (nth) =>
      nth === 1 ? { ...honest, cut: { at, how: 'end' } } : { ...honest, ranges: 'lying' },
  /** 429 with Retry-After, so many times. */
  busy:
    (times: number, seconds = 1): Lie =>
    (honest) =>
    (nth) =>
      nth <= times ? { status: 429, headers: { 'retry-after': `${seconds}` } } : honest,
  redirect:
    (location: string): Lie =>
    () =>
      redirectTo(location),
} as const

function grown({ bytes }: Script): Buffer {
  return Buffer.concat([bytes ?? Buffer.alloc(0), Buffer.alloc(1)])
}

/** A real server on loopback that speaks the distribution protocol as far as pulling goes, honestly where nothing else is said. */
export async function startHostileRegistry(
  options: NeighbourOptions = {},
  repository = 'team/image',
): Promise<HostileRegistry> {
  return new HostileRegistry(await startNeighbour(options), repository)
}

export class HostileRegistry implements AsyncDisposable {
  readonly neighbour: Neighbour
  readonly #repository: string
  #guard: (request: IncomingMessage) => Script | null = () => null

  constructor(neighbour: Neighbour, repository: string) {
    this.neighbour = neighbour
    this.#repository = repository
    neighbour.serve('/v2/', (_, request) => this.#guard(request) ?? json({}))
  }

  /** `host:port`. */
  get host(): string {
    return new URL(this.neighbour.url('/')).host
  }

  /** What was asked for, in order, with the bytes that were sent. */
  get requests(): readonly Seen[] {
    return this.neighbour.requests
  }

  /** Requests for one blob or manifest, answered 401 or not. */
  requestsFor(name: string): readonly Seen[] {
    return this.requests.filter(({ path }) => path.endsWith(`/${name}`))
  }

  reference(tag = 'latest'): string {
    return `${this.host}/${this.#repository}:${tag}`
  }

  blob(bytes: Buffer, lie: Lie = (honest) => honest): Descriptor {
    const digest = digestOf(bytes)
    const headers = { 'content-type': 'application/octet-stream', 'docker-content-digest': digest }
    this.#serve(`blobs/${digest}`, lie({ bytes, headers, ranges: 'honest' }))
    return { mediaType: mediaTypes.layer, digest, size: bytes.length }
  }

  /** Under its tag and its digest. */
  manifest(
    tag: string,
    document: unknown,
    lie: Lie = (honest) => honest,
    mediaType: string = mediaTypes.manifest,
  ): Descriptor {
    const bytes = Buffer.isBuffer(document) ? document : Buffer.from(JSON.stringify(document))
    const digest = digestOf(bytes)
    const headers = { 'content-type': mediaType, 'docker-content-digest': digest }
    for (const name of [tag, digest]) this.#serve(`manifests/${name}`, lie({ bytes, headers }))
    return { mediaType, digest, size: bytes.length }
  }

  /**
   * A whole image of plain tars.
   * @param told lies about its parts
   * @returns its reference
   */
  image(
    tag: string,
    layers: readonly Buffer[],
    told: { readonly manifest?: Lie; readonly config?: Lie; readonly layers?: readonly Lie[] } = {},
  ): string {
    const rootfs = { type: 'layers', diff_ids: layers.map((layer) => digestOf(layer)) }
    const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs }))
    const document = {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: { ...this.blob(config, told.config), mediaType: mediaTypes.config },
      layers: layers.map((layer, at) => this.blob(layer, told.layers?.[at])),
    }
    this.manifest(tag, document, told.manifest)
    return this.reference(tag)
  }

  /** From now on everything takes a name and a password. */
  demandPassword(authorization: string): void {
    this.#demand(authorization, 'Basic realm="hostile"')
  }

  /** From now on everything takes a token. */
  demandToken({ token = 'secret', realm, issue, issuer = this.neighbour }: TokenDemand = {}): void {
    const own = issuer.serve('/token', issue ?? json({ token }))
    this.#demand(`Bearer ${token}`, `Bearer realm="${realm ?? own}",service="hostile, registry"`)
  }

  /** From now on everything is asked for with this Authorization, or answered with these challenges. */
  #demand(authorization: string, challenge: string): void {
    const denied = { ...json({ errors: [{ code: 'UNAUTHORIZED' }] }), status: 401 }
    const headers = { ...denied.headers, 'www-authenticate': challenge }
    this.#guard = (request) =>
      request.headers.authorization === authorization ? null : { ...denied, headers }
  }

  /** A script hears of the requests alone that came past the guard. */
  #serve(path: string, play: Play): void {
    let nth = 0
    this.neighbour.serve(`/v2/${this.#repository}/${path}`, (_, request) => {
      const denied = this.#guard(request)
      if (denied) return denied
      nth += 1
      return typeof play === 'function' ? play(nth, request) : play
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.neighbour[Symbol.asyncDispose]()
  }
}
