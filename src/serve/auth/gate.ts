import { Refusal } from '../../errors.ts'
import type { Call } from '../context.ts'
import { Attempts } from './attempts.ts'
import { Callers, type CallersOptions } from './callers.ts'
import { countedAs, Proxies } from './client-address.ts'
import { shownBy, type Shown } from './credentials.ts'
import { IssuedTokens, looksIssued } from './issued-tokens.ts'
import { Scope } from './scope.ts'
import { Sites, type Site } from './site.ts'
import { Visitor, type Identity } from './visitor.ts'

export type GateOptions = CallersOptions & {
  readonly anonymousPull: boolean
  readonly publicUrl: string | null
  readonly internalUrl: string | null
  /** CIDRs. */
  readonly trustedProxies: readonly string[]
  /** The key that issued tokens are signed with. */
  readonly issuingKey: Uint8Array
  /** Is told of every attempt that was refused. */
  readonly refused?: () => void
}

/** Lays the right challenge among the headers of the answer to come. */
type Challenge = (c: Call, isTokenBad: boolean) => void

/** Finds out who asks (http-api, "Who may do what"), where there are credentials. */
export class Gate {
  readonly #options: GateOptions
  readonly #callers: Callers
  readonly #proxies: Proxies
  readonly #sites: Sites
  readonly #attempts: Attempts
  readonly issued: IssuedTokens

  private constructor(options: GateOptions, callers: Callers) {
    this.#options = options
    this.#callers = callers
    this.#proxies = new Proxies(options.trustedProxies)
    this.#sites = new Sites(this.#proxies, options)
    this.#attempts = new Attempts(monotonic)
    this.issued = new IssuedTokens(options.issuingKey, sinceStart, Date.now)
  }

  /** @throws Refusal with one line that names variable, file, line and the way out */
  static async open(options: GateOptions): Promise<Gate> {
    return new Gate(options, await Callers.open(options, monotonic))
  }

  siteOf(c: Call): Site {
    return this.#sites.of(c.env.incoming)
  }

  addressOf(c: Call): string {
    return this.#proxies.addressOf(c.env.incoming)
  }

  /** Whether anybody at all may pull this. */
  isPublic(repository: string): boolean {
    return this.#visitor(null, null).may('pull', repository)
  }

  /** Whether there is anything that a caller without credentials may do. */
  get admitsAnonymous(): boolean {
    return this.#options.anonymousPull || this.#callers.rules.admitAnonymous
  }

  /**
   * Who asks, by the `Authorization` header; with `issued`, tokens that were issued are taken, too.
   * @throws Refusal UNAUTHORIZED, after `challenge`; DENIED, TOO_MANY_REQUESTS; Outage CLUSTER_UNAVAILABLE
   */
  async visitor(c: Call, takes: 'issued' | 'own', challenge: Challenge): Promise<Visitor> {
    const shown = shownBy(c.req.header('authorization'))
    await this.#callers.look()
    if (shown === null) return this.#visitor(null, null)
    if (shown !== 'unusable') return await this.#recognise(c, shown, takes, challenge)
    this.#tell(c, null, 'the Authorization header is neither Basic nor Bearer')
    challenge(c, false)
    throw new Refusal(
      'UNAUTHORIZED',
      'the Authorization header is neither Basic nor Bearer; send one of them',
    )
  }

  /**
   * A visitor of earlier, who showed credentials of its own, as of now; null when those are no longer in force.
   * @throws Outage CLUSTER_UNAVAILABLE when nobody has been able to say that for minutes
   */
  async again({ identity }: Visitor): Promise<Visitor | null> {
    await this.#callers.look()
    if (!identity) return this.#visitor(null, null)
    const holder = await this.#callers.holder(identity.name, identity.stamp)
    return holder && this.#visitor(holder, null)
  }

  /** As `visitor`, for a name and password that came by another way. */
  async visitorBy(c: Call, shown: Shown, challenge: Challenge): Promise<Visitor> {
    await this.#callers.look()
    return this.#visitor(await this.#identify(c, shown, challenge), null)
  }

  async #recognise(
    c: Call,
    shown: Shown,
    takes: 'issued' | 'own',
    challenge: Challenge,
  ): Promise<Visitor> {
    const isIssued = takes === 'issued' && shown.name === null && looksIssued(shown.secret)
    if (isIssued) return await this.#bearer(c, shown, challenge)
    return this.#visitor(await this.#identify(c, shown, challenge), null)
  }

  /** @returns the owner of a credential */
  async #identify(c: Call, shown: Shown, challenge: Challenge): Promise<Identity> {
    const address = countedAs(this.addressOf(c))
    const identity = await this.#orTell(c, shown, () => this.#find(address, shown))
    if (identity) {
      this.#attempts.succeeded(address, shown)
      return identity
    }
    this.#attempts.failed(address, shown)
    this.#tell(
      c,
      shown.name,
      shown.name === null ? 'nobody has this token' : 'wrong name or password',
    )
    challenge(c, shown.name === null)
    throw new Refusal(
      'UNAUTHORIZED',
      shown.name === null
        ? 'nobody has this token; send one that is in force'
        : 'the name or the password is wrong; log in again',
    )
  }

  /** Who may do nothing in the cluster may have tokens without end there, so asking about each is an attempt that failed. */
  async #find(address: string, shown: Shown): Promise<Identity | null> {
    let isAsked = false
    const admit = () => this.#attempts.admit(address, shown)
    admit()
    try {
      return await this.#callers.find(shown, () => {
        admit()
        isAsked = true
      })
    } catch (error) {
      const isPowerless = error instanceof Refusal && error.code === 'DENIED'
      if (isAsked && isPowerless) this.#attempts.failed(address, shown)
      throw error
    }
  }

  /** Refusals before the answer is known, because too many failed or wait, are attempts that were refused, too. */
  async #orTell<Value>(c: Call, { name }: Shown, work: () => Promise<Value>): Promise<Value> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof Refusal) this.#tell(c, name, error.message)
      throw error
    }
  }

  /**
   * A signature cannot be guessed, so an address that failed too often is not kept from showing a good one. What was not
   * signed here may still be a token of the tokens file.
   */
  async #bearer(c: Call, shown: Shown, challenge: Challenge): Promise<Visitor> {
    const verdict = await this.issued.verify(shown.secret, this.siteOf(c).service)
    if (verdict === 'forged') {
      return this.#visitor(await this.#identify(c, shown, challenge), null)
    }
    if (verdict === 'lapsed') throw this.#spent(c, null, 'is not in force any more', challenge)
    const { holder, access } = verdict
    const identity = holder && (await this.#callers.holder(holder.name, holder.stamp))
    if (identity || !holder) return this.#visitor(identity, new Scope(access))
    throw this.#spent(c, holder.name, 'belongs to a caller who is no longer known', challenge)
  }

  #spent(c: Call, name: string | null, why: string, challenge: Challenge): Refusal {
    this.#tell(c, name, `the token ${why}`)
    challenge(c, true)
    return new Refusal('UNAUTHORIZED', `the token ${why}; ask for another one`)
  }

  #visitor(identity: Identity | null, scope: Scope | null): Visitor {
    const { rules } = this.#callers
    return new Visitor({ identity, scope, rules, anonymousPull: this.#options.anonymousPull })
  }

  #tell(c: Call, name: string | null, why: string): void {
    this.#options.refused?.()
    const caller = name === null ? null : printable(name)
    c.get('log').warn({ caller, address: this.addressOf(c), why }, 'an attempt was refused')
  }
}

export const monotonic = () => performance.now()
const sinceStart = () => performance.timeOrigin + performance.now()

/** Of a name that anybody may send: as much as helps, and nothing that a terminal would obey. */
function printable(name: string): string {
  return name.slice(0, 64).replaceAll(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '?')
}
