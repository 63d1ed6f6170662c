import { Refusal } from '../errors.ts'
import type { Log } from '../log.ts'
import { fingerprint, readPair, type KeyPair, type TlsFiles } from './pair.ts'

/** How often the files are looked at, in milliseconds: a renewal has days of time. */
const usually = 3000
const day = 86_400_000
/** From so long before its end a certificate is warned of. */
const soon = 7 * day

export type RenewalOptions = {
  readonly log: Log
  /** Whoever named the files, as a refusal tells it: `SLIPWAY_TLS_CERT and SLIPWAY_TLS_KEY`. */
  readonly named: string
  readonly every?: number
  readonly now?: () => number
}

/**
 * The listener's certificate and key, which are other ones when their files are. Only a pair that belongs together takes
 * the place of the one before; anything else is told once and looked at again.
 */
export class Renewal implements Disposable {
  readonly #files: TlsFiles
  readonly #log: Log
  readonly #every: number
  readonly #now: () => number
  #pair: KeyPair
  #taken: string
  #complained = ''
  #warned = Number.NEGATIVE_INFINITY
  #use: (pair: KeyPair) => void = () => {}
  #timer: NodeJS.Timeout | null = null
  #ended = false

  private constructor(
    files: TlsFiles,
    first: { readonly pair: KeyPair; readonly print: string },
    { log, every = usually, now = Date.now }: RenewalOptions,
  ) {
    this.#files = files
    this.#pair = first.pair
    this.#taken = first.print
    this.#log = log
    this.#every = every
    this.#now = now
  }

  /** @throws Refusal when the files cannot be used */
  static async open(files: TlsFiles, options: RenewalOptions): Promise<Renewal> {
    // Before the reading: what changes between the two is seen at the first look.
    const print = await fingerprint(files)
    try {
      return new Renewal(files, { pair: await readPair(files), print }, options)
    } catch (cause) {
      throw new Refusal(
        'UNSUPPORTED',
        `no HTTPS with ${options.named} as they are: ${messageOf(cause)}`,
        { cause },
      )
    }
  }

  get pair(): KeyPair {
    return this.#pair
  }

  /** Looks from now on until it is disposed, and never keeps the process alive. */
  follow(use: (pair: KeyPair) => void): void {
    this.#use = use
    this.#warn()
    this.#wait()
  }

  [Symbol.dispose](): void {
    this.#ended = true
    if (this.#timer) clearTimeout(this.#timer)
  }

  #wait(): void {
    if (this.#ended) return
    this.#timer = setTimeout(() => void this.#look(), this.#every).unref()
  }

  async #look(): Promise<void> {
    const print = await fingerprint(this.#files)
    if (print !== this.#taken) await this.#take(print)
    this.#warn()
    this.#wait()
  }

  async #take(print: string): Promise<void> {
    try {
      const pair = await readPair(this.#files)
      // Somebody is writing: half a chain would look whole. The next look sees all of it.
      if (this.#ended || print !== (await fingerprint(this.#files))) return
      this.#use(pair)
      this.#pair = pair
      this.#taken = print
      this.#complained = ''
      const { subject, validTo } = pair
      this.#log.info({ subject, validTo }, 'certificate and key were reloaded')
    } catch (error) {
      this.#complain(print, error)
    }
  }

  #complain(print: string, error: unknown): void {
    if (print === this.#complained) return
    this.#complained = print
    const { subject, validTo } = this.#pair
    const kept = { subject, validTo }
    this.#log.error(
      { reason: messageOf(error), kept },
      'the changed certificate and key cannot be used; the ones before are kept',
    )
  }

  /** Once a day at most. */
  #warn(): void {
    const { subject, validTo } = this.#pair
    const now = this.#now()
    const left = validTo.getTime() - now
    if (left > soon || now - this.#warned < day) return
    this.#warned = now
    const what = left > 0 ? 'the certificate expires soon' : 'the certificate has expired'
    this.#log.warn({ subject, validTo }, `${what}; put a new one into its place`)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
