import { createHash } from 'node:crypto'
import { Outage, Refusal } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { resource, type Reviews, type Subject } from './cluster-reviews.ts'
import type { Claimed } from './cluster-token.ts'
import { Lane } from './lane.ts'
import { Remembered } from './remembered.ts'
import type { Role } from './role.ts'
import type { Identity } from './visitor.ts'

export type ClusterCallersOptions = {
  readonly reviews: Reviews
  readonly log: Log
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number
  /** Milliseconds since 1970, for what tokens say of their end. */
  readonly date: () => number
}

/** What the API server said, in milliseconds: rights that are taken away end within a minute. */
const goodFor = 60_000
/** A right that is granted, or a token that is put right, need not wait for long. */
const badFor = 10_000
/** How much longer a good answer holds while there is no other. */
const graceFor = 300_000
/** After an answer that did not come, the next one is not waited for at once. */
const restFor = 10_000

/** All pods of a large cluster that have to do with images; with tokens of 2 KiB these are some megabytes. */
const mostKnown = 4096
const mostRefused = 4096
/** Newcomers may have made their tokens up, and do not stand in the way of those who are known. */
const newcomers = { places: 8, waiting: 32, patience: 10_000 }
const acquaintances = { places: 8, waiting: mostKnown, patience: 10_000 }

/** The audience of tokens that are meant for this service alone. */
const audience = 'slipway'

/** A caller whose token was found good. It has to be shown again, so it is kept, in memory alone. */
type Known = {
  readonly token: string
  readonly claimed: Claimed
  readonly identity: Identity
  readonly at: number
  /** The last time that the API server was asked in vain about it. */
  missed: Miss | null
}

type Miss = { readonly at: number; readonly error: Outage }

/** Null for one whom nobody knows; a name for one who is known and may do nothing. */
type Stranger = { readonly name: string | null; readonly at: number }

type Found = Known | Stranger

/** Callers by tokens of the cluster: who they are by TokenReview, what they may do by SubjectAccessReview. */
export class ClusterCallers {
  readonly #options: ClusterCallersOptions
  readonly #known = new Remembered<Known>(mostKnown)
  readonly #refused = new Remembered<Stranger>(mostRefused)
  readonly #newcomers = new Lane<Found>(newcomers)
  readonly #acquaintances = new Lane<Found>(acquaintances)
  /** The last time that the API server was asked in vain, null once it has answered since. */
  #away: Miss | null = null

  constructor(options: ClusterCallersOptions) {
    this.#options = options
  }

  /**
   * Whose token this is, null when it is nobody's or has expired.
   * @param claimed what it says of itself
   * @param before called right before the API server is asked about an unknown token; what it throws is thrown
   * @throws Refusal DENIED for one who may do nothing, TOO_MANY_REQUESTS; Outage CLUSTER_UNAVAILABLE
   */
  async find(token: string, claimed: Claimed, before: () => void): Promise<Identity | null> {
    if (this.#isOver(claimed)) return null
    const key = keyOf(token)
    const known = this.#known.get(key)
    const found = known
      ? await this.#renewed(key, known)
      : (this.#stillRefused(key) ?? (await this.#met(key, token, claimed, before)))
    if (found === null || 'identity' in found) return found?.identity ?? null
    if (found.name === null) return null
    throw powerless(found.name)
  }

  /**
   * The one with this stamp, as of now; null when the token has expired or been forgotten, or its rights are gone.
   * @throws Outage CLUSTER_UNAVAILABLE
   */
  async holder(name: string, stamp: string): Promise<Identity | null> {
    const known = this.#known.get(stamp)
    if (known?.identity.name !== name) return null
    const found = await this.#renewed(stamp, known)
    return found && 'identity' in found ? found.identity : null
  }

  async #met(key: string, token: string, claimed: Claimed, before: () => void): Promise<Found> {
    return await this.#newcomers.run(key, async () => {
      before()
      return await this.#review(key, token, claimed)
    })
  }

  async #renewed(key: string, known: Known): Promise<Found | null> {
    if (this.#isOver(known.claimed)) {
      this.#known.delete(key)
      return null
    }
    if (this.#isYounger(known, goodFor)) return known
    const miss = this.#missOf(known)
    if (miss) return this.#inGrace(known, miss.error)
    try {
      return await this.#acquaintances.run(key, () => this.#again(key, known))
    } catch (error) {
      if (!(error instanceof Outage)) throw error
      known.missed = { at: this.#options.now(), error }
      return this.#inGrace(known, error)
    }
  }

  /** The API server may have gone away while others were before it. */
  async #again(key: string, known: Known): Promise<Found> {
    const miss = this.#missOf(known)
    if (miss) throw miss.error
    return await this.#review(key, known.token, known.claimed)
  }

  /**
   * Why it need not be asked about right now. An answer that somebody else waited for in vain counts only while the former
   * one may still be used, so that nobody is kept out by what the API server cannot say of others.
   */
  #missOf(known: Known): Miss | null {
    const { missed } = known
    if (missed && this.#isYounger(missed, restFor)) return missed
    const isInGrace = this.#isYounger(known, goodFor + graceFor)
    return isInGrace && this.#away && this.#isYounger(this.#away, restFor) ? this.#away : null
  }

  #inGrace(known: Known, error: Outage): Known {
    if (this.#isYounger(known, goodFor + graceFor)) return known
    throw error
  }

  #stillRefused(key: string): Stranger | null {
    const refused = this.#refused.get(key)
    return refused && this.#isYounger(refused, badFor) ? refused : null
  }

  async #review(key: string, token: string, claimed: Claimed): Promise<Found> {
    const asked = this.#options.now()
    const found = await this.#judged(key, token, claimed, asked)
    if ('identity' in found) {
      this.#refused.delete(key)
      this.#known.set(key, found)
    } else {
      this.#known.delete(key)
      this.#refused.set(key, found)
    }
    return found
  }

  /** What is answered holds from when it was asked for. */
  async #judged(key: string, token: string, claimed: Claimed, at: number): Promise<Found> {
    const { reviews } = this.#options
    const wanted = claimed.audiences.includes(audience) ? audience : null
    try {
      const subject = await reviews.whose(token, wanted)
      const role = subject && (await roleOf(subject, reviews))
      this.#isBack()
      if (!subject || !role) return { name: subject && nameOf(subject), at }
      const identity = { name: nameOf(subject), role, stamp: key }
      return { token, claimed, identity, at, missed: null }
    } catch (error) {
      this.#wentAway(error)
      throw error
    }
  }

  /** Told once, however many ask meanwhile. */
  #wentAway(error: unknown): void {
    if (!(error instanceof Outage)) return
    if (!this.#away) this.#options.log.error({ err: error.cause ?? error }, error.message)
    this.#away = { at: this.#options.now(), error }
  }

  #isBack(): void {
    if (this.#away) this.#options.log.info('the API server says again who callers are')
    this.#away = null
  }

  #isOver({ expires }: Claimed): boolean {
    return expires !== null && expires <= this.#options.date()
  }

  #isYounger({ at }: { readonly at: number }, age: number): boolean {
    return this.#options.now() - at < age
  }
}

/** Whoever may do all in the cluster is an admin here, too; a rule has to name the verb `*` for that. */
async function roleOf(subject: Subject, reviews: Reviews): Promise<Role | null> {
  const may = (verb: string) => reviews.may(subject, verb)
  const [all, create, remove, read] = await Promise.all(['*', 'create', 'delete', 'get'].map(may))
  if (all) return 'admin'
  if (create && remove) return 'editor'
  return read ? 'viewer' : null
}

/**
 * Names without a colon are those of the files, so that nobody in the cluster is taken for one of them; and nobody called
 * `user:jane` there is taken for `jane`.
 */
function nameOf({ username }: Subject): string {
  const isOwn = username.includes(':') && !username.startsWith('user:')
  return isOwn ? username : `user:${username}`
}

/** Whole, as it is what tokens that were issued are bound to. */
function keyOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}

function powerless(name: string): Refusal {
  return new Refusal(
    'DENIED',
    `"${name}" may do nothing here; bind it a ClusterRole that lets it get ${resource.resource}.${resource.group}`,
  )
}
