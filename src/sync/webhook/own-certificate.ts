import { z } from 'zod'
import { asFailure, Refusal } from '../../errors.ts'
import { metadataSchema, type ClusterApi } from '../../kube/cluster-api.ts'
import type { Log } from '../../log.ts'
import { pairOf, type KeyPair } from '../../tls/pair.ts'
import { Informer } from '../kube/informer.ts'
import { WorkQueue } from '../queue.ts'
import { together } from '../together.ts'
import type { Certificate } from './certificate.ts'
import {
  configurationName,
  configurationsPaths,
  injectorOf,
  isTrusted,
  makeTrusted,
  namesIn,
  readConfigurations,
  serviceHost,
  type Configuration,
} from './configurations.ts'
import { Insistence } from './insistence.ts'
import { readSecret, secretName, secretsPath, writeSecret } from './kept-secret.ts'
import { upToDate, type SelfMade } from './self-made.ts'

export type OwnOptions = {
  readonly api: ClusterApi
  /** Of the companion, and of the Secret. */
  readonly namespace: string
  readonly log: Log
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly random: () => number
  /** Changes within so many milliseconds are looked at together; a second unless given. */
  readonly gatheredFor?: number
}

const everything = 'certificate'
/** Milliseconds. */
const usuallyGathered = 1000
/** Whatever has changed, all is looked at so often, in milliseconds: what is due is due for weeks. */
const wholeRound = 3_600_000

const namedSchema = z.object({ metadata: metadataSchema })

/**
 * A certificate that the companion makes, keeps in the Secret `slipway-webhook`, and has the API server trust. All processes do
 * so at the same time, and none leads: of two that write, one is refused and looks again. A pair is used only when the
 * configurations trust it.
 */
export class OwnCertificate implements Certificate {
  readonly #options: OwnOptions
  #trouble: string | null = null
  #used = ''
  #hasToldOfNone = false
  readonly #insistence: Insistence

  constructor(options: OwnOptions) {
    this.#options = options
    this.#insistence = new Insistence(options.gatheredFor ?? usuallyGathered)
  }

  get trouble(): string | null {
    return this.#trouble
  }

  async run(use: (pair: KeyPair) => void, signal: AbortSignal): Promise<void> {
    const { random } = this.#options
    const onFailure = (_key: string, error: unknown) => this.#tell(error)
    using queue = new WorkQueue({ random, onFailure })
    const informers = this.#informers()
    const wake = () => queue.addAfter(everything, this.#insistence.wait)
    for (const each of informers) each.watch(wake)
    queue.add(everything)
    const work = async (_key: string, until: AbortSignal) => await this.#turn(queue, use, until)
    const all = informers.map((each) => (until: AbortSignal) => each.run(until))
    await together([...all, (until) => queue.run(1, work, until)], signal)
  }

  #informers() {
    const { namespace } = this.#options
    const of = (path: string, name: string) => {
      const fieldSelector = `metadata.name=${name}`
      return new Informer({ ...this.#options, path, fieldSelector, schema: namedSchema })
    }
    return [
      of(secretsPath(namespace), secretName),
      ...configurationsPaths.map((path) => of(path, configurationName)),
    ]
  }

  async #turn(queue: WorkQueue, use: (pair: KeyPair) => void, signal: AbortSignal): Promise<void> {
    try {
      await this.#look(use, signal)
      queue.forget(everything)
      queue.addAfter(everything, wholeRound)
      this.#trouble = null
    } catch (error) {
      if (!/^CLUSTER_(?:EXISTS|CONFLICT)$/.test(asFailure(error).code)) throw error
      queue.retry(everything)
    }
  }

  /**
   * Trust comes before use. The configurations are read before the Secret, so that nobody puts an older bundle over a newer
   * one: whatever has changed them since is a conflict. Those whose caBundle somebody else writes are left alone: nobody can
   * wait for these.
   */
  async #look(use: (pair: KeyPair) => void, signal: AbortSignal): Promise<void> {
    const configurations = await readConfigurations(this.#options.api, signal)
    this.#tellOfNone(configurations)
    const made = await this.#ensure(this.#namesFor(configurations), signal)
    const doubtful = configurations.filter((each) => !isTrusted(each, made.bundle))
    const own = doubtful.filter((each) => injectorOf(each) === null)
    await this.#trust(own, made, signal)
    this.#use(made, use)
    const foreign = doubtful.find((each) => injectorOf(each) !== null)
    if (foreign) throw new Refusal('UNSUPPORTED', isLeftAlone(foreign))
  }

  #namesFor(configurations: readonly Configuration[]): readonly string[] {
    const names = namesIn(configurations)
    return names.length > 0 ? names : [serviceHost(secretName, this.#options.namespace)]
  }

  async #ensure(names: readonly string[], signal: AbortSignal): Promise<SelfMade> {
    const { log, now } = this.#options
    const { version, made: kept } = await readSecret(this.#options, signal)
    const made = await upToDate(kept, names, now())
    if (made === kept) return kept
    await writeSecret(this.#options, version, made, signal)
    log.info({ secret: secretName, names }, 'the certificate of the webhook was made')
    return made
  }

  async #trust(
    configurations: readonly Configuration[],
    { bundle }: SelfMade,
    signal: AbortSignal,
  ): Promise<void> {
    const { api, log, now } = this.#options
    if (configurations.length === 0) return
    if (this.#insistence.wrote(now())) {
      log.warn('somebody else writes caBundle of the webhook configurations, too; one has to stop')
    }
    for (const each of configurations) {
      await makeTrusted(each, bundle, api, signal)
      const { path } = each
      log.info({ path }, 'the API server was told to trust the certificate of the webhook')
    }
  }

  #use({ cert, key }: SelfMade, use: (pair: KeyPair) => void): void {
    if (this.#used === cert + key) return
    const names = { cert: 'tls.crt', key: 'tls.key' }
    const pair = pairOf(Buffer.from(cert), Buffer.from(key), names)
    use(pair)
    this.#used = cert + key
    const { subject, validTo } = pair
    this.#options.log.info({ subject, validTo }, 'the webhook has a certificate')
  }

  #tellOfNone({ length }: readonly Configuration[]): void {
    const isNone = length === 0
    if (isNone && !this.#hasToldOfNone) {
      const why = `there is neither a ValidatingWebhookConfiguration nor a MutatingWebhookConfiguration "${configurationName}"`
      this.#options.log.warn(`${why}: the API server does not ask the webhook; apply them`)
    }
    this.#hasToldOfNone = isNone
  }

  /** The same words are told once. */
  #tell(error: unknown): void {
    const failure = asFailure(error)
    if (failure.message === this.#trouble) return
    this.#trouble = failure.message
    const level = failure.row.kind === 'bug' ? 'error' : 'warn'
    this.#options.log[level](
      { err: failure },
      'the certificate of the webhook cannot be seen to; it is tried again',
    )
  }
}

function isLeftAlone(configuration: Configuration): string {
  const { path } = configuration
  return `${path} is left alone for its annotation ${injectorOf(configuration)}, and does not trust the Secret "${secretName}": take the annotation away, or set SLIPWAY_WEBHOOK_CERT to the certificate that belongs to it`
}
