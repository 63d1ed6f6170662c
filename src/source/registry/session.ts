import { Refusal, type Outage } from '../../errors.ts'
import { repositoryName, type Reference } from '../../image/reference.ts'
import { travel, type Arrival, type Line } from '../travel.ts'
import type { Access } from './access.ts'
import { isNoTls, type Endpoint } from './endpoint.ts'

export type SessionOptions = {
  readonly reference: Reference
  readonly endpoint: Endpoint
  readonly access: Access
  readonly line: Line
}

type Headers = Readonly<Record<string, string>>

/** Requests to one repository, with whatever they have to show. */
export class Session {
  readonly line: Line
  /** For messages. */
  readonly name: string
  readonly #reference: Reference
  readonly #endpoint: Endpoint
  readonly #access: Access

  constructor({ reference, endpoint, access, line }: SessionOptions) {
    this.line = line
    this.name = repositoryName(reference)
    this.#reference = reference
    this.#endpoint = endpoint
    this.#access = access
  }

  /** The registry as it will be asked, for messages. */
  get url(): URL {
    return this.#endpoint.url
  }

  /**
   * Asks for a path below the repository; at most one token is fetched for it. The answer has to be released.
   * @throws Refusal SOURCE_REFUSED, SOURCE_FORBIDDEN; Outage SOURCE_UNAVAILABLE
   */
  async get(path: string, headers: Headers, signal: AbortSignal): Promise<Arrival> {
    const base = await this.#endpoint.base(signal)
    const url = new URL(`/v2/${this.#reference.repository}/${path}`, base)
    const { held } = this.#access
    const first = await this.#ask(url, headers, held, signal)
    const challenges = await this.#challenges(first, url, held, signal)
    if (!challenges) return first
    const fresh = await this.#access.renew(challenges, url, signal)
    const second = await this.#ask(url, headers, fresh, signal)
    if (!isFrom(second, url) || second.answer.status !== 401) return second
    await second.answer.release()
    throw this.#access.refused()
  }

  /**
   * What the registry wants to be shown, when that may help. Another origin, behind a redirect, has nothing to ask for.
   * Some registries deny that there is something instead of asking; those are asked for their challenge apart.
   */
  async #challenges(
    first: Arrival,
    url: URL,
    held: string | null,
    signal: AbortSignal,
  ): Promise<readonly string[] | null> {
    const { status } = first.answer
    if (!isFrom(first, url) || (status !== 401 && !deny.has(status))) return null
    await first.answer.release()
    if (status === 401) return challengesIn(first)
    if (held !== null || !this.#access.hasCredentials) return null
    const ping = await this.#ask(new URL('/v2/', url), {}, null, signal)
    await ping.answer.release()
    return ping.answer.status === 401 && isFrom(ping, url) ? challengesIn(ping) : null
  }

  async #ask(
    url: URL,
    headers: Headers,
    authorization: string | null,
    signal: AbortSignal,
  ): Promise<Arrival> {
    const secrets = authorization === null ? {} : { authorization }
    try {
      return await travel({ url, secrets }, headers, this.line, signal)
    } catch (error) {
      throw isNoTls(error) ? this.#noTls(error) : error
    }
  }

  #noTls(cause: Outage): Refusal {
    const { registry } = this.#reference
    return new Refusal(
      'SOURCE_REFUSED',
      `the registry ${registry} speaks no TLS; an administrator can allow plain HTTP with SLIPWAY_INSECURE_REGISTRIES=${registry}`,
      { cause },
    )
  }
}

const deny = new Set([403, 404])

function isFrom({ request }: Arrival, { origin }: URL): boolean {
  return request.url.origin === origin
}

function challengesIn({ answer }: Arrival): readonly string[] {
  return answer.fields('www-authenticate')
}
