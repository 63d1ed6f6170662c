import { Refusal } from '../../errors.ts'
import type { Reference } from '../../image/reference.ts'
import { basic, shown, withoutUserInfo } from '../request.ts'
import type { Line } from '../travel.ts'
import { parseChallenges, type Challenge } from './challenge.ts'
import type { Given } from './given.ts'
import { inTime } from './small-body.ts'
import { fetchToken, type Token, type TokenRequest } from './token.ts'

export type AccessOptions = {
  readonly reference: Reference
  readonly given: Given
  readonly line: Line
  readonly now: () => number
  /** Milliseconds that a token may take in all. */
  readonly tokenWithin: number
}

type Held = { readonly authorization: string; readonly until: number }

/** What one repository is asked with. It is shown to the registry's own origin alone. */
export class Access {
  readonly #options: AccessOptions
  #held: Held | null = null

  constructor(options: AccessOptions) {
    this.#options = options
  }

  /** The Authorization that did last time; null before there is one, and once it is about to end. */
  get held(): string | null {
    const { now } = this.#options
    return this.#held && this.#held.until > now() ? this.#held.authorization : null
  }

  get hasCredentials(): boolean {
    return this.#options.given.credentials !== null
  }

  /**
   * Another Authorization, by what the registry at `url` asks for.
   * @throws Refusal SOURCE_REFUSED, SOURCE_FORBIDDEN; Outage SOURCE_UNAVAILABLE
   */
  async renew(values: readonly string[], url: URL, signal: AbortSignal): Promise<string> {
    const challenges = parseChallenges(values)
    // Tokens come before passwords, whatever the order, as in docker.
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer')
    this.#held = bearer ? await this.#bearer(bearer, url, signal) : this.#basic(challenges)
    return this.#held.authorization
  }

  /** The registry did not take what it was shown, or there is nothing to show. */
  refused(): Refusal {
    const { registry, repository } = this.#options.reference
    const { credentials, wayOut } = this.#options.given
    const what = credentials ? 'does not take the credentials' : 'asks for credentials'
    const message = `the registry ${what} for ${registry}/${repository}; ${wayOut}`
    return new Refusal('SOURCE_REFUSED', message)
  }

  async #bearer(challenge: Challenge, url: URL, signal: AbortSignal): Promise<Held> {
    const { given, now } = this.#options
    const { credentials } = given
    if (credentials?.kind === 'bearer') {
      return { authorization: `Bearer ${credentials.token}`, until: Infinity }
    }
    const token = await this.#fetch(this.#tokenRequest(challenge, url), signal)
    if (!token) throw this.refused()
    // Ends a little early, so that it does not end on the way.
    const until = now() + token.lifetime - Math.min(margin, token.lifetime / 10)
    return { authorization: `Bearer ${token.text}`, until }
  }

  async #fetch(request: TokenRequest, signal: AbortSignal): Promise<Token | null> {
    const { given, line, tokenWithin } = this.#options
    const work = (signal: AbortSignal) => fetchToken(request, given.credentials, line, signal)
    return await inTime(tokenWithin, shown(request.realm), work, signal)
  }

  #tokenRequest({ parameters }: Challenge, url: URL): TokenRequest {
    return {
      realm: realmOf(parameters.get('realm') ?? '', url),
      service: parameters.get('service') ?? null,
      scope: `repository:${this.#options.reference.repository}:pull`,
    }
  }

  #basic(challenges: readonly Challenge[]): Held {
    const { credentials } = this.#options.given
    if (!credentials) throw this.refused()
    if (!challenges.some(({ scheme }) => scheme === 'basic')) throw unknown()
    if (credentials.kind !== 'login') throw this.refused()
    return { authorization: basic(credentials.username, credentials.password), until: Infinity }
  }
}

/** Milliseconds. */
const margin = 10_000

/**
 * Where tokens are issued: on any host, which is how docker.io does it, and judged as all others when it is dialled.
 * @throws Refusal SOURCE_REFUSED, SOURCE_FORBIDDEN
 */
function realmOf(text: string, registry: URL): URL {
  const realm = URL.parse(text)
  if (!realm) {
    const message = `the registry at ${registry.host} asks for a token and does not say where it is issued; ask its operator`
    throw new Refusal('SOURCE_REFUSED', message)
  }
  const isFine =
    realm.protocol === 'https:' || (realm.protocol === 'http:' && registry.protocol === 'http:')
  if (isFine) return withoutUserInfo(realm)
  throw new Refusal(
    'SOURCE_FORBIDDEN',
    `the registry at ${shown(registry)} sends for a token to ${realm.protocol}, where nothing is asked for; ask its operator for an https address`,
  )
}

function unknown(): Refusal {
  return new Refusal(
    'SOURCE_REFUSED',
    'the registry asks for credentials in a way that is not known; known are Basic and Bearer',
  )
}
