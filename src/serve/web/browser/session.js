import { ofTab } from './kept.js'

/** What `GET /api/v1/caller` answers. @typedef {{ name: string | null, reaches: readonly ('read' | 'write' | 'maintain')[] }} Caller */

const key = 'slipway-token'

/** Who sits before the page. The token stays with this tab, and goes with it. */
export class Session {
  /** @type {string | null} */
  #token = ofTab.get(key)
  /** Null until the service has said it. Stays when the token is no longer taken, as what is shown does. @type {Caller | null} */
  caller = null

  /** Another one with each token, and after it. */
  turn = 0

  get hasToken() {
    return this.#token !== null
  }

  /** @returns {Record<string, string>} */
  headers() {
    return this.#token === null ? {} : withToken(this.#token)
  }

  /** @param {string} token @param {Caller} caller whom the service has taken it for */
  signIn(token, caller) {
    this.#token = token
    this.turn += 1
    this.caller = caller
    ofTab.set(key, token)
  }

  /** The service does not take the token any more. */
  expire() {
    this.#token = null
    this.turn += 1
    ofTab.remove(key)
  }

  signOut() {
    this.expire()
    this.caller = null
  }

  /** What is not allowed is not offered. @param {'read' | 'write' | 'maintain'} reach */
  may(reach) {
    return this.caller?.reaches.includes(reach) ?? false
  }
}

/** @param {string} token */
export function withToken(token) {
  return { authorization: `Bearer ${token}` }
}
