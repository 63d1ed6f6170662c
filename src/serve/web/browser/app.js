import { Api, jsonOf, Problem } from './api.js'
import { Images } from './images.js'
import { forgetAddresses } from './marks.js'
import { hashOf, placeOf } from './place.js'
import { Session, withToken } from './session.js'
import { asksForCallers, isOutdated } from './shell-facts.js'
/** @import { Place } from './place.js' */
/** @import { Caller } from './session.js' */

/** What the page knows. Views are functions of it; whoever changes it says so, and all is drawn with the next frame. */
export class App {
  /** @type {Place} */
  place = placeOf(location.hash)
  session = new Session()
  /** Whether a token has to be shown before the service answers again. */
  asksForToken = false
  /** Why the service let nobody in at the last attempt; empty for nothing. */
  refusal = ''
  /** Whether the service has been replaced by one with another page. */
  isOutdated = false
  /** Said to everybody, also to those who do not see; empty for nothing. */
  notice = ''
  api
  images
  #draw
  #arrive
  #isDue = false
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer
  #drawnAgainAt = Infinity
  /** Who waits for the next drawing. @type {(() => void)[]} */
  #waiting = []
  #listening = new AbortController()

  /**
   * @param {(app: App) => void} draw
   * @param {() => void} arrive told whenever somebody comes to a place, or is let in at it
   */
  constructor(draw, arrive) {
    this.#draw = draw
    this.#arrive = arrive
    this.api = new Api(this.session, () => this.#refused())
    this.images = new Images(
      this.api,
      () => this.changed(),
      () => void this.#returned(),
    )
  }

  async start() {
    addEventListener('hashchange', () => {
      this.place = placeOf(location.hash)
      this.changed()
      if (!this.asksForToken) this.#arrive()
    })
    if (asksForCallers() && !this.session.hasToken) this.#refused()
    else if (await this.#recognised()) this.#enter()
  }

  /** Draws with the next frame, however often it is asked for. */
  changed() {
    if (this.#isDue) return
    this.#isDue = true
    requestAnimationFrame(() => {
      this.#isDue = false
      clearTimeout(this.#timer)
      this.#drawnAgainAt = Infinity
      this.#draw(this)
      for (const told of this.#waiting.splice(0)) told()
    })
  }

  /**
   * Draws again after a while, for what changes with the time alone. Said anew with each drawing; the earliest counts.
   * @param {number} milliseconds
   */
  changesIn(milliseconds) {
    const at = performance.now() + milliseconds
    if (at >= this.#drawnAgainAt) return
    clearTimeout(this.#timer)
    this.#drawnAgainAt = at
    this.#timer = setTimeout(() => this.changed(), milliseconds)
  }

  /** After the next drawing. @returns {Promise<void>} */
  async drawn() {
    this.changed()
    await new Promise((resolve) => this.#waiting.push(() => resolve(undefined)))
  }

  /** To a place, from which one cannot go back to where one is now. @param {Place} place */
  replace(place) {
    history.replaceState(history.state, '', hashOf(place))
    this.place = placeOf(location.hash)
    this.changed()
  }

  /** @param {string} text */
  say(text) {
    this.notice = text
    this.changed()
  }

  /** @param {string} token @throws {Problem} when it is not taken */
  async signIn(token) {
    const answer = await this.api.open('api/v1/caller', { headers: withToken(token) })
    /** @type {Caller} */
    const caller = await jsonOf(answer)
    // Another caller may see other images.
    if (caller.name !== this.session.caller?.name) this.images.forgetAll()
    this.session.signIn(token, caller)
    this.#enter()
  }

  /** What is being sent goes on: an upload has an address of its own. */
  signOut() {
    this.session.signOut()
    forgetAddresses()
    this.#listening.abort()
    this.images.forgetAll()
    this.asksForToken = true
    this.refusal = ''
    this.say('You have signed out')
  }

  #enter() {
    this.asksForToken = false
    this.refusal = ''
    this.#listening.abort()
    this.#listening = new AbortController()
    void this.images.follow(this.#listening.signal)
    this.changed()
    this.#arrive()
  }

  /** @returns {Promise<boolean>} whether the page may go on: who is not answered at all may be later */
  async #recognised() {
    const { turn } = this.session
    try {
      /** @type {Caller} */
      const caller = await this.api.read('api/v1/caller')
      // Somebody else has signed in meanwhile, or nobody is any more.
      if (turn !== this.session.turn) return false
      this.session.caller = caller
      return true
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      if (turn !== this.session.turn) return false
      if (error.status === 403) this.#refused(error.sentence)
      return !this.asksForToken
    }
  }

  /** The service is heard again, which may know other callers or have another page by now. */
  async #returned() {
    const had = this.session.caller
    if (!(await this.#recognised())) return
    this.isOutdated = await isOutdated()
    this.changed()
    if (!had) this.#arrive()
  }

  #refused(why = this.session.hasToken ? 'The service does not take your token any more.' : '') {
    if (!this.asksForToken) this.refusal = why
    this.session.expire()
    this.asksForToken = true
    this.#listening.abort()
    this.changed()
  }
}
