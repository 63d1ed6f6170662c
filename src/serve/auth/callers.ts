import type { Log } from '../../log.ts'
import { noRules, parseAccess, type AccessRules } from './access-rules.ts'
import type { Shown } from './credentials.ts'
import { noPasswords, parsePasswords, type Passwords } from './htpasswd-file.ts'
import { PasswordCheck } from './password-check.ts'
import { noTokens, parseTokens, type Tokens } from './tokens-file.ts'
import type { Identity } from './visitor.ts'
import { WatchedFile, type WatchedFileOptions } from './watched-file.ts'

export type CallerFiles = {
  readonly tokensFile: string | null
  readonly htpasswdFile: string | null
  readonly accessFile: string | null
}

type Watched<Content> = WatchedFile<Content> | null

/** Who is known, by the three files that say it. */
export class Callers {
  readonly #tokens: Watched<Tokens>
  readonly #passwords: Watched<Passwords>
  readonly #access: Watched<AccessRules>
  readonly #check = new PasswordCheck()

  private constructor(
    tokens: Watched<Tokens>,
    passwords: Watched<Passwords>,
    access: Watched<AccessRules>,
  ) {
    this.#tokens = tokens
    this.#passwords = passwords
    this.#access = access
  }

  /**
   * @param now milliseconds of a clock that only goes forward
   * @throws Refusal with one line that names variable, file, line and the way out
   */
  static async open(files: CallerFiles, log: Log, now: () => number): Promise<Callers> {
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
   * @param before called right before a password is hashed; what it throws is thrown
   */
  async find({ name, secret }: Shown, before: () => void): Promise<Identity | null> {
    const byToken = (this.#tokens?.content ?? noTokens).find(secret, name)
    if (byToken || name === null || !this.#passwords) return byToken
    return await this.#check.find(this.#passwords.content, name, secret, before)
  }

  /** The one that a token was issued to, null when that credential is gone. */
  holder(name: string, stamp: string): Identity | null {
    const known = (this.#passwords?.content ?? noPasswords).get(name)?.identity
    if (known?.stamp === stamp) return known
    return (this.#tokens?.content ?? noTokens).byStamp(name, stamp)
  }
}
