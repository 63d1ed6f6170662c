import { z } from 'zod'
import { asFailure, Outage } from '../errors.ts'
import type { Log } from '../log.ts'
import { checked } from '../kube/answers.ts'
import type { ClusterApi } from '../kube/cluster-api.ts'
import { pause } from '../client/pause.ts'

export type LeaderOptions = {
  readonly api: Pick<ClusterApi, 'get' | 'create' | 'replace'>
  readonly namespace: string
  /** A name that no other process has. */
  readonly identity: string
  readonly log: Log
  /** Milliseconds since 1970, as they are written. */
  readonly now: () => number
}

/** Milliseconds. A follower takes over when it has not seen the Lease change for `lease`; a leader stops well before. */
const lease = 15_000
const renewWithin = 10_000
const tryEvery = 2000
const answerWithin = 5000

const name = 'slipway-controller'

const leaseSchema = z.object({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  spec: z
    .looseObject({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.number().nullish(),
      leaseTransitions: z.number().nullish(),
      acquireTime: z.string().nullish(),
    })
    .default({}),
})
type Lease = z.output<typeof leaseSchema>

/** A Lease that others hold, and since when it has been as it is, by our own clock that never jumps. */
type Sight = { readonly version: string; readonly since: number }

/**
 * One of several processes is the leader, by a Lease (coordination.k8s.io/v1). Times of others are not compared with ours:
 * a Lease has run out when we have not seen it change for as long as it lasts.
 */
export class Leader {
  readonly #options: LeaderOptions
  #held: Lease | null = null
  #sight: Sight | null = null
  #isLeading = false
  #trouble: string | null = null

  constructor(options: LeaderOptions) {
    this.#options = options
  }

  get isLeading(): boolean {
    return this.#isLeading
  }

  /** Why the Lease cannot be read or written at present; null while it can. */
  get trouble(): string | null {
    return this.#trouble
  }

  /**
   * Calls `lead` whenever this process is the leader. Its signal ends when it is so no more, and nothing may be written
   * after that. Resolves when the signal has ended, `lead` too, and the Lease is given back.
   * @throws what `lead` throws, after the Lease is given back
   */
  async run(lead: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const began = performance.now()
      if (await this.#tried(signal, answerWithin)) await this.#leadFrom(began, lead, signal)
      else await pause(tryEvery, signal)
    }
  }

  async #leadFrom(
    began: number,
    lead: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const lost = new AbortController()
    const both = AbortSignal.any([signal, lost.signal])
    this.#rise()
    const ended = new AbortController()
    const renewing = this.#renew(began, AbortSignal.any([both, ended.signal]))
    void renewing.then(() => lost.abort())
    try {
      await lead(both)
    } finally {
      ended.abort()
      await renewing
      this.#isLeading = false
      await this.#release()
    }
  }

  /** Keeps the Lease until the signal ends, or until it is lost. */
  async #renew(began: number, signal: AbortSignal): Promise<void> {
    let renewed = began
    const until = () => renewWithin - (performance.now() - renewed)
    while (!signal.aborted) {
      await pause(Math.max(0, Math.min(tryEvery, until())), signal)
      const asked = performance.now()
      if (until() <= 0 || signal.aborted) break
      if (await this.#tried(signal, Math.min(answerWithin, until()))) renewed = asked
      // Somebody else has it.
      else if (this.#held === null && this.#sight) break
    }
    if (!signal.aborted) this.#options.log.warn('this process leads no more')
  }

  /** Whether the Lease is ours now; what fails is tried again by whoever asks. */
  async #tried(signal: AbortSignal, within: number): Promise<boolean> {
    const bounded = bound(signal, within)
    try {
      const isOurs = await this.#claim(bounded.signal)
      this.#trouble = null
      return isOurs
    } catch (error) {
      if (!signal.aborted) this.#tell(error)
      return false
    } finally {
      bounded.end()
    }
  }

  async #claim(signal: AbortSignal): Promise<boolean> {
    const known = this.#held ?? (await this.#look(signal))
    // Before it is known what became of the request, it is to be looked at again.
    this.#held = null
    if (known === null) return await this.#take(() => this.#create(signal))
    if (!this.#isFree(known)) return false
    return await this.#take(() => this.#replace(known, signal))
  }

  async #look(signal: AbortSignal): Promise<Lease | null> {
    try {
      return checked(leaseSchema, await this.#options.api.get(this.#path, {}, signal))
    } catch (error) {
      if (asFailure(error).code === 'CLUSTER_NOT_FOUND') return null
      throw error
    }
  }

  /** Whoever was faster has it. */
  async #take(write: () => Promise<unknown>): Promise<boolean> {
    try {
      this.#held = checked(leaseSchema, await write())
      this.#sight = null
      return true
    } catch (error) {
      if (!/^CLUSTER_(?:EXISTS|CONFLICT)$/.test(asFailure(error).code)) throw error
      return false
    }
  }

  #isFree({ metadata: { resourceVersion: version }, spec }: Lease): boolean {
    const { holderIdentity: holder, leaseDurationSeconds: seconds } = spec
    if (!holder || holder === this.#options.identity) return true
    const now = performance.now()
    if (this.#sight?.version !== version) this.#sight = { version, since: now }
    return now - this.#sight.since >= (seconds ? seconds * 1000 : lease)
  }

  async #create(signal: AbortSignal): Promise<unknown> {
    const { api, namespace } = this.#options
    const metadata = { name, namespace }
    const body = { ...kind, metadata, spec: this.#spec(null) }
    return await api.create(leasesIn(namespace), body, signal)
  }

  async #replace(known: Lease, signal: AbortSignal): Promise<unknown> {
    const body = { ...kind, metadata: known.metadata, spec: this.#spec(known) }
    return await this.#options.api.replace(this.#path, body, signal)
  }

  #spec(known: Lease | null) {
    const { identity, now } = this.#options
    const time = microTime(now())
    const isOurs = known?.spec.holderIdentity === identity
    const transitions = known?.spec.leaseTransitions ?? 0
    return {
      holderIdentity: identity,
      leaseDurationSeconds: lease / 1000,
      acquireTime: (isOurs && known.spec.acquireTime) || time,
      renewTime: time,
      leaseTransitions: known && !isOurs ? transitions + 1 : transitions,
    }
  }

  /** A follower takes over at once. Where it fails, the Lease runs out. */
  async #release(): Promise<void> {
    const bounded = bound(new AbortController().signal, answerWithin)
    try {
      await this.#giveBack(bounded.signal)
    } catch (err) {
      this.#options.log.warn({ err }, 'the Lease could not be given back; it runs out')
    } finally {
      bounded.end()
    }
  }

  async #giveBack(signal: AbortSignal): Promise<void> {
    const { api, identity, now, log } = this.#options
    // A renewal may have been cut short.
    const held = this.#held ?? (await this.#look(signal))
    this.#held = null
    if (held?.spec.holderIdentity !== identity) return
    const renewTime = microTime(now())
    const spec = { ...held.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime }
    await api.replace(this.#path, { ...kind, metadata: held.metadata, spec }, signal)
    log.info('the Lease is given back')
  }

  #rise(): void {
    this.#isLeading = true
    const { identity, namespace, log } = this.#options
    log.info({ identity, namespace }, 'this process leads')
  }

  /** The same words are told once. */
  #tell(error: unknown): void {
    const failure = asFailure(error)
    if (failure.message === this.#trouble) return
    this.#trouble = failure.message
    this.#options.log.warn({ err: failure }, 'the Lease cannot be had; it is tried again')
  }

  get #path(): string {
    return `${leasesIn(this.#options.namespace)}/${name}`
  }
}

const kind = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' } as const

function leasesIn(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`
}

/** Times of a Lease have microseconds. */
function microTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('Z', '000Z')
}

function tooLate(): Outage {
  return new Outage('CLUSTER_UNAVAILABLE', 'the API server takes too long to answer')
}

/** A signal that ends with another one, or after so many milliseconds. */
function bound(signal: AbortSignal, milliseconds: number) {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(tooLate()), milliseconds)
  return { signal: AbortSignal.any([signal, late.signal]), end: () => clearTimeout(timer) }
}
