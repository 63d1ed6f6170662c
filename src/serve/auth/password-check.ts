import { createHmac, randomBytes } from 'node:crypto'
import bcrypt from 'bcrypt'
import { Refusal } from '../../errors.ts'
import type { Passwords } from './htpasswd-file.ts'
import { RecentKeys } from './recent-keys.ts'
import type { Identity } from './visitor.ts'

/** bcrypt runs in the threads that also read and write files, four of them as a rule: half are left for that. */
const mostAtOnce = 2
/** At a usual cost these wait for some seconds. More are told to come again. */
const mostWaiting = 64
const comeAgainIn = 2000
/** Enough for every node of a large cluster with a name of its own. */
const mostRemembered = 10_000
/** 22 characters of salt and 31 of hash that no password has. */
const nobodys = '.'.repeat(53)
const usualCost = 10

/**
 * Checks passwords against bcrypt hashes. A password that was right is remembered for as long as its hash stands in the
 * file, under a key that is gone with the process: of all pulls of a node the first one costs a round of bcrypt.
 */
export class PasswordCheck {
  readonly #secret = randomBytes(32)
  readonly #right = new RecentKeys(mostRemembered)
  readonly #running = new Map<string, Promise<boolean>>()
  readonly #waiting: (() => void)[] = []
  #free = mostAtOnce

  /**
   * Whose name and password these are, null when they are nobody's, which takes as long for an unknown name.
   * @param before called right before the costly part; what it throws is thrown
   * @throws Refusal TOO_MANY_REQUESTS when too many wait
   */
  async find(
    passwords: Passwords,
    name: string,
    password: string,
    before: () => void,
  ): Promise<Identity | null> {
    const entry = passwords.get(name)
    const hash = entry?.hash ?? `$2b$${costOf(passwords)}$${nobodys}`
    const isRight = await this.#check(hash, password, before)
    return isRight && entry ? entry.identity : null
  }

  async #check(hash: string, password: string, before: () => void): Promise<boolean> {
    const key = this.#keyOf(hash, password)
    if (this.#right.has(key)) return true
    // Many requests begin with the same credentials at once; they share one check.
    const running = this.#running.get(key)
    if (running) return await running
    const check = this.#compare(hash, password, before)
    this.#running.set(key, check)
    try {
      const isRight = await check
      if (isRight) this.#right.add(key)
      return isRight
    } finally {
      this.#running.delete(key)
    }
  }

  async #compare(hash: string, password: string, before: () => void): Promise<boolean> {
    await this.#turn()
    try {
      before()
      return await bcrypt.compare(password, hash)
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free += 1
    }
  }

  async #turn(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1
      return
    }
    if (this.#waiting.length >= mostWaiting) throw busy()
    // Whoever has done hands its place on.
    await new Promise<void>((resolve) => void this.#waiting.push(resolve))
  }

  /** The hash is part of the key: with another one in the file, what was right no longer is. */
  #keyOf(hash: string, password: string): string {
    return createHmac('sha256', this.#secret).update(`${hash}\n${password}`).digest('base64url')
  }
}

function busy(): Refusal {
  return new Refusal('TOO_MANY_REQUESTS', 'too many passwords are being checked; try again', {
    retryAfter: comeAgainIn,
  })
}

/** The highest cost in the file: an unknown name is not told by a quick answer. */
function costOf(passwords: Passwords): string {
  let highest = 0
  for (const { hash } of passwords.values()) highest = Math.max(highest, Number(hash.slice(4, 6)))
  return String(highest || usualCost).padStart(2, '0')
}
