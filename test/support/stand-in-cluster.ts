import { Outage } from '../../src/errors.ts'
import type { Reviews, Subject } from '../../src/serve/auth/cluster-reviews.ts'

/** A token as an API server signs it, but for the signature. */
export function jwt(claims: object, header: object = { alg: 'RS256' }): string {
  const parts = [header, claims].map((part) => Buffer.from(JSON.stringify(part)))
  return [...parts, Buffer.from('signed')].map((part) => part.toString('base64url')).join('.')
}

/** An API server, as far as it is asked who callers are and what they may do. */
export class StandInCluster implements Reviews {
  readonly tokens = new Map<string, Subject>()
  /** Verbs by name. */
  readonly rights = new Map<string, ReadonlySet<string>>()
  /** Tokens of reviews, and whom they had to be meant for. */
  readonly asked: { readonly token: string; readonly audience: string | null }[] = []
  isAway = false
  atOnce = 0
  mostAtOnce = 0
  /** Answers wait for this. */
  hold: Promise<void> = Promise.resolve()

  /** Whoever has this token may do this. @returns the token */
  knows(token: string, username: string, ...verbs: readonly string[]): string {
    this.tokens.set(token, { username })
    this.rights.set(username, new Set(verbs))
    return token
  }

  async whose(token: string, audience: string | null): Promise<Subject | null> {
    this.asked.push({ token, audience })
    await this.#answer()
    return this.tokens.get(token) ?? null
  }

  async may({ username }: Subject, verb: string): Promise<boolean> {
    await this.#answer()
    return this.rights.get(username)?.has(verb) ?? false
  }

  async #answer(): Promise<void> {
    this.atOnce += 1
    this.mostAtOnce = Math.max(this.atOnce, this.mostAtOnce)
    try {
      await this.hold
    } finally {
      this.atOnce -= 1
    }
    if (this.isAway) throw new Outage('CLUSTER_UNAVAILABLE', 'away', { retryAfter: 10_000 })
  }
}
