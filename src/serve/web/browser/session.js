/** What `GET /api/v1/caller` answers. @typedef {{ name: string | null, reaches: readonly ('read' | 'write' | 'maintain')[] }} Caller */

const key = 'slipway-token'

/** Who sits before the page. The token stays with this tab, and goes with it. */
export class Session {
  /** @type {string | null} */
  #token = sessionStorage.getItem(key)
  /** Null until the service has said it. @type {Caller | null} */
  caller = null

  get hasToken() {
    return this.#token !== null
  }

  /** @returns {Record<string, string>} */
  headers() {
    return this.#token === null ? {} : { authorization: `Bearer ${this.#token}` }
  }

  /** @param {string} token */
  signIn(token) {
    this.#token = token
    this.caller = null
    sessionStorage.setItem(key, token)
  }

  signOut() {
    this.#token = null
    this.caller = null
    sessionStorage.removeItem(key)
  }

  /** What is not allowed is not offered. @param {'read' | 'write' | 'maintain'} reach */
  may(reach) {
    return this.caller?.reaches.includes(reach) ?? false
  }
}
