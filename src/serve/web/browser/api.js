import { sentence } from './words.js'
/** @import { Session } from './session.js' */

/** What the service said instead of an answer (RFC 9457), or that it said nothing. */
export class Problem extends Error {
  /**
   * @param {string} message what is the matter, and what to do
   * @param {{ code: string, status: number, fields?: readonly { path: string, message: string }[] }} facts
   *   `status` is 0 where there was no answer
   */
  constructor(message, { code, status, fields = [] }) {
    super(message)
    this.code = code
    this.status = status
    this.fields = fields
  }

  /** For a place where nothing else stands. */
  get sentence() {
    return sentence(this.message)
  }

  /** Whether a token, or another one, may help. */
  get asksForToken() {
    return this.status === 401
  }

  /** Whether the same may well be taken later: nobody answers, or another one is at it, or the service is in trouble. */
  get isPassing() {
    return this.status >= 500 || [0, 408, 409, 423, 429].includes(this.status)
  }
}

const away = 'the service does not answer; is it running, and is the network up?'

/** REST as the page asks it: on its own origin, with the token of its session. */
export class Api {
  #session
  #refused

  /**
   * @param {Session} session
   * @param {() => void} refused told when a token is asked for
   */
  constructor(session, refused) {
    this.#session = session
    this.#refused = refused
  }

  /**
   * The answer, whatever is in it. Paths are relative to the page, which may lie below a prefix.
   * @param {string} path without a slash before it, such as `api/v1/images`
   * @param {RequestInit & { headers?: Record<string, string> }} [init]
   * @returns {Promise<Response>}
   * @throws {Problem}
   */
  async open(path, init = {}) {
    const headers = Object.assign(this.#session.headers(), init.headers)
    const response = await this.#fetch(path, { ...init, headers })
    if (response.ok) return response
    const problem = await problemIn(response)
    // The answer to an earlier token says nothing of the one that there is now.
    const isOwn = headers['authorization'] === this.#session.headers()['authorization']
    if (problem.asksForToken && isOwn) this.#refused()
    throw problem
  }

  /**
   * @template Answer what the document of the API says that it is
   * @param {string} path
   * @param {AbortSignal} [signal]
   * @returns {Promise<Answer>}
   */
  async read(path, signal) {
    return await jsonOf(await this.open(path, { signal: signal ?? null }))
  }

  /**
   * @template Answer what the document of the API says that it is; null where there is none
   * @param {'POST' | 'DELETE'} method
   * @param {string} path
   * @param {{ body?: unknown, signal?: AbortSignal }} [more]
   * @returns {Promise<Answer>}
   */
  async change(method, path, { body, signal } = {}) {
    const content =
      body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    const response = await this.open(path, { method, signal: signal ?? null, ...content })
    const text = await textOf(response)
    return parsed(text === '' ? 'null' : text, response.status)
  }

  /** @param {string} path @param {RequestInit} init */
  async #fetch(path, init) {
    try {
      return await fetch(new URL(path, document.baseURI), { ...init, credentials: 'omit' })
    } catch (error) {
      throw brokenOff(error)
    }
  }
}

/** JSON. @template Answer @param {Response} response @returns {Promise<Answer>} @throws {Problem} also when the connection breaks in it, or it is none */
export async function jsonOf(response) {
  return parsed(await textOf(response), response.status)
}

/** @param {Response} response @throws {Problem} when the connection breaks in it */
async function textOf(response) {
  try {
    return await response.text()
  } catch (error) {
    throw brokenOff(error)
  }
}

/** @param {unknown} error of a request @returns {unknown} what to throw: who stopped it knows */
function brokenOff(error) {
  if (error instanceof DOMException && error.name === 'AbortError') return error
  return new Problem(away, { code: 'AWAY', status: 0 })
}

/** JSON. @template Answer @param {string} text @param {number} status @returns {Answer} @throws {Problem} */
function parsed(text, status) {
  try {
    return JSON.parse(text)
  } catch {
    throw new Problem('something before the service answered, and not in its words', {
      code: 'UNKNOWN',
      status,
    })
  }
}

/** REST says it as RFC 9457 wants it, the registry as its own specification does. @param {Response} response */
async function problemIn(response) {
  const { status } = response
  const text = await textOf(response)
  const type = response.headers.get('content-type') ?? ''
  if (type.startsWith('application/problem+json')) {
    const { detail, code, errors = [] } = parsed(text, status)
    return new Problem(detail, { code, status, fields: errors })
  }
  if (type.startsWith('application/json') && response.url.includes('/v2/')) {
    const [{ code = 'UNKNOWN', message = '' } = {}] = parsed(text, status).errors ?? []
    if (message !== '') return new Problem(message, { code, status })
  }
  return new Problem(`something before the service answered ${status}`, { code: 'UNKNOWN', status })
}
