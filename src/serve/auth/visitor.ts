import type { AccessRules } from './access-rules.ts'
import type { Action, Caller } from './caller.ts'
import { anonymousRights, rightsOf, type Reach, type Role } from './role.ts'
import type { Scope } from './scope.ts'

/** Somebody whose credentials were found to be right. */
export type Identity = {
  readonly name: string
  readonly role: Role
  /** Changes with the credential, so that what was issued for an old one ends with it; no secret. */
  readonly stamp: string
}

export type VisitorOptions = {
  /** null: without credentials. */
  readonly identity: Identity | null
  readonly rules: AccessRules
  readonly anonymousPull: boolean
  /** What an issued token is for; null where the caller's own credential was shown. */
  readonly scope: Scope | null
}

/** A caller where there are credentials. */
export class Visitor implements Caller {
  readonly #options: VisitorOptions

  constructor(options: VisitorOptions) {
    this.#options = options
  }

  get name(): string | null {
    return this.#options.identity?.name ?? null
  }

  get identity(): Identity | null {
    return this.#options.identity
  }

  /** Whether a token that was issued is what was shown. */
  get isScoped(): boolean {
    return this.#options.scope !== null
  }

  may(action: Action, repository: string): boolean {
    const { scope } = this.#options
    return this.entitled(action, repository) && (scope?.covers(action, repository) ?? true)
  }

  mayList(): boolean {
    return this.mightListOtherwise() && (this.#options.scope?.lists ?? true)
  }

  entitled(action: Action, repository: string): boolean {
    const { identity, rules, anonymousPull } = this.#options
    if (identity?.role === 'admin') return true
    const ruled = rules.allowed(this.name, repository)
    const rights = identity ? rightsOf(identity.role) : anonymousRights(anonymousPull)
    return (ruled ?? rights.actions).has(action)
  }

  /** Nobody learns which repositories there are without saying who asks. */
  mightListOtherwise(): boolean {
    return this.#options.identity !== null
  }

  /** Whether both may do the same, as far as can be told at a glance. */
  equals(other: Visitor): boolean {
    const { identity, rules, scope } = other.#options
    const own = this.#options
    return (
      own.identity?.name === identity?.name &&
      own.identity?.role === identity?.role &&
      own.rules === rules &&
      own.scope === scope
    )
  }

  /** What of REST. Tokens that were issued are for the registry. */
  reaches(reach: Reach): boolean {
    const { identity, scope } = this.#options
    return identity !== null && scope === null && rightsOf(identity.role).reaches.has(reach)
  }
}
