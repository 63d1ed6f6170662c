import type { Log } from '../../log.ts'
import { noRules, parseAccess, type AccessRules } from './access-rules.ts'
import type { ClusterCallers } from './cluster-callers.ts'
import { claimedBy } from './cluster-token.ts'
import type { Shown } from './credentials.ts'
import { noPasswords, parsePasswords, type Passwords } from './htpasswd-file.ts'
import { PasswordCheck } from './password-check.ts'
import { noTokens, parseTokens, type Tokens } from './tokens-file.ts'
import type { Identity } from './visitor.ts'
import { WatchedFile, type WatchedFileOptions } from '../../env/watched-file.ts'

export type CallerFiles = {
  readonly tokensFile: string | null
  readonly htpasswdFile: string | null
  readonly accessFile: string | null
}

export type CallersOptions = CallerFiles & {
  /** Who is known by tokens of the cluster; null where those are not asked about. */
  readonly cluster: ClusterCallers | null
  readonly log: Log
}

type Watched<Content> = WatchedFile<Content> | null

/** Who is known, by the three files that say it, and by the cluster. */
export class Callers {
  readonly #tokens: Watched<Tokens>
  readonly #passwords: Watched<Passwords>
  readonly #access: Watched<AccessRules>
  readonly #cluster: ClusterCallers | null
  readonly #check = new PasswordCheck()

  private constructor(
    tokens: Watched<Tokens>,
    passwords: Watched<Passwords>,
    access: Watched<AccessRules>,
    cluster: ClusterCallers | null,
  ) {
    this.#tokens = tokens
    this.#passwords = passwords
    this.#access = access
    this.#cluster = cluster
  }

  /**
   * @param now milliseconds of a clock that only goes forward
   * @throws Refusal with one line that names variable, file, line and the way out
   */
  static async open({ log, ...files }: CallersOptions, now: () => number): Promise<Callers> {
    const watch = <Content>(
      variable: string,
      path: string | null,
      parse: WatchedFileOptions<Content>['parse'],
    ): Promise<Watched<Content>> =>
      path === null
        ? Promise.resolve(null)
        : WatchedFile.open({ origin: { variable, path }, parse, log, now })
    return new Callers(
      await watch('SLIPWAY_TOKENS_FILE', files.tokensFile, parseTokens),
      await watch('SLIPWAY_HTPASSWD_FILE', files.htpasswdFile, parsePasswords),
      await watch('SLIPWAY_ACCESS_FILE', files.accessFile, parseAccess),
      files.cluster,
    )
  }

  /** Sees to it that what the files said a second ago at the latest holds. */
  async look(): Promise<void> {
    await Promise.all([this.#tokens?.look(), this.#passwords?.look(), this.#access?.look()])
  }

  get rules(): AccessRules {
    return this.#access?.content ?? noRules
  }

  /**
   * Whose credentials these are, null when they are nobody's.
   * @param before called right before a password is hashed, or the cluster is asked; what it throws is thrown
   * @throws Refusal DENIED for one whom the cluster knows and lets do nothing, TOO_MANY_REQUESTS; Outage CLUSTER_UNAVAILABLE
   */
  async find({ name, secret }: Shown, before: () => void): Promise<Identity | null> {
    const byToken = (this.#tokens?.content ?? noTokens).find(secret, name)
    if (byToken) return byToken
    // Nobody has a password that looks like this, and clients of the registry show it with any name.
    const claimed = this.#cluster && claimedBy(secret)
    if (this.#cluster && claimed) return await this.#cluster.find(secret, claimed, before)
    if (name === null || !this.#passwords) return null
    return await this.#check.find(this.#passwords.content, name, secret, before)
  }

  /**
   * The one that a token was issued to, null when that credential is gone.
   * @throws Outage CLUSTER_UNAVAILABLE
   */
  async holder(name: string, stamp: string): Promise<Identity | null> {
    const known = (this.#passwords?.content ?? noPasswords).get(name)?.identity
    if (known?.stamp === stamp) return known
    const byToken = (this.#tokens?.content ?? noTokens).byStamp(name, stamp)
    return byToken ?? (await this.#cluster?.holder(name, stamp)) ?? null
  }
}
