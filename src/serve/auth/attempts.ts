import { createHmac, randomBytes } from 'node:crypto'
import { Refusal } from '../../errors.ts'
import type { Shown } from './credentials.ts'
import { Failures } from './failures.ts'
import { RecentKeys } from './recent-keys.ts'

/** Pairs of an address and a credential. */
const mostKnown = 10_000

/**
 * Holds guessing back. After ten failures within a minute, what an address shows is refused before it is looked at, so that
 * the eleventh guess learns nothing and costs nothing.
 *
 * Behind one address there may be many clients. Those whose credential was right before from this very address go on: it
 * is recognised by a keyed hash, at no cost worth counting. That alone would let a neighbour go on guessing what such a
 * client uses, so it ends for a name that failed ten times from there, too. Tokens shown without a name are random, so
 * guessing at them is hopeless, and have no such end. A newcomer behind such an address waits, at most a minute after the
 * guessing has stopped. A success takes nothing off any count: who has one good credential may not guess at others.
 */
export class Attempts {
  readonly #secret = randomBytes(32)
  readonly #byAddress: Failures
  readonly #byName: Failures
  readonly #known = new RecentKeys(mostKnown)

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number) {
    this.#byAddress = new Failures(now)
    this.#byName = new Failures(now)
  }

  /** @throws Refusal TOO_MANY_REQUESTS */
  admit(address: string, shown: Shown): void {
    const wait = this.#byAddress.wait(address)
    if (wait === 0) return
    const nameWait = shown.name === null ? 0 : this.#byName.wait(nameKey(address, shown.name))
    const isKnown = this.#known.has(this.#keyOf(address, shown))
    if (isKnown && nameWait === 0) return
    if (!isKnown) this.#count(address, shown)
    throw tooMany(Math.max(wait, nameWait))
  }

  failed(address: string, shown: Shown): void {
    this.#byAddress.add(address)
    this.#count(address, shown)
  }

  succeeded(address: string, shown: Shown): void {
    this.#known.add(this.#keyOf(address, shown))
  }

  #count(address: string, { name }: Shown): void {
    if (name !== null) this.#byName.add(nameKey(address, name))
  }

  #keyOf(address: string, { name, secret }: Shown): string {
    const text = [address, name ?? '', secret].join('\n')
    return createHmac('sha256', this.#secret).update(text).digest('base64url')
  }
}

function nameKey(address: string, name: string): string {
  return `${address} ${name.slice(0, 128)}`
}

function tooMany(wait: number): Refusal {
  return new Refusal(
    'TOO_MANY_REQUESTS',
    `too many failed attempts from this address; wait ${Math.ceil(wait / 1000)} s, then try again with the right credentials`,
    { retryAfter: wait },
  )
}
