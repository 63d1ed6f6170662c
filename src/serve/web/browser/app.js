import { Api, Problem } from './api.js'
import { Images } from './images.js'
import { hashOf, placeOf } from './place.js'
import { Session } from './session.js'
/** @import { Place } from './place.js' */

/** What the page knows. Views are functions of it; whoever changes it says so, and all is drawn with the next frame. */
export class App {
  /** @type {Place} */
  place = placeOf(location.hash)
  session = new Session()
  /** Whether a token has to be shown first. */
  asksForToken = false
  /** Said to everybody, also to those who do not see; empty for nothing. */
  notice = ''
  api
  images
  #draw
  #isDue = false
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer
  #drawnAgainAt = Infinity
  /** Who waits for the next drawing. @type {(() => void)[]} */
  #waiting = []
  #listening = new AbortController()

  /** @param {(app: App) => void} draw */
  constructor(draw) {
    this.#draw = draw
    this.api = new Api(this.session, () => this.#refused())
    this.images = new Images(this.api, () => this.changed())
  }

  async start() {
    addEventListener('hashchange', () => {
      this.place = placeOf(location.hash)
      this.changed()
    })
    await this.#begin()
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
    this.session.signIn(token)
    try {
      await this.#recognise()
    } catch (error) {
      this.session.signOut()
      throw error
    }
    await this.#begin()
  }

  signOut() {
    this.session.signOut()
    this.#listening.abort()
    location.reload()
  }

  async #begin() {
    try {
      await this.#recognise()
      this.asksForToken = false
      this.#listening.abort()
      this.#listening = new AbortController()
      void this.images.follow(this.#listening.signal)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      if (!error.asksForToken) this.say(error.message)
    }
    this.changed()
  }

  async #recognise() {
    this.session.caller = await this.api.read('api/v1/caller')
  }

  #refused() {
    this.asksForToken = true
    this.changed()
  }
}
