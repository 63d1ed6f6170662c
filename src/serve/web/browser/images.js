import { Problem } from './api.js'
import { listen } from './events.js'
import { passed } from './passed.js'
/** @import { Api } from './api.js' */
/** @import { ImageBody } from '../../../image/status.ts' */
/** @import { Told } from './events.js' */

/** Milliseconds between two attempts to hear the service again: doubled, up to the longest. */
const [first, longest] = [500, 15_000]

/** As many fill a page: they are shown while the rest of thousands comes in. */
const fewest = 50

/** All images as the service tells of them, kept in step by its events. */
export class Images {
  /** @type {Map<string, ImageBody>} */
  #known = new Map()
  /** Names told in the whole state that is coming in; null otherwise. @type {Set<string> | null} */
  #coming = null
  #lastId = ''
  #api
  #changed
  #returned
  /** Whether the whole state is known. */
  isComplete = false
  /** Another one after every change of what is known. */
  version = 0
  /** Why nothing is heard at present, null while it is. @type {string | null} */
  trouble = null

  /**
   * @param {Pick<Api, 'open'>} api
   * @param {() => void} changed told after every change
   * @param {() => void} returned told when the service is heard again after it was not, or has refused the caller
   */
  constructor(api, changed, returned) {
    this.#api = api
    this.#changed = changed
    this.#returned = returned
  }

  /** What one caller was told is not for the next one. */
  forgetAll() {
    this.#known.clear()
    this.#coming = null
    this.#lastId = ''
    this.isComplete = false
    this.trouble = null
    this.#changed()
  }

  get size() {
    return this.#known.size
  }

  /** @param {string} name @returns {ImageBody | null} */
  get(name) {
    return this.#known.get(name) ?? null
  }

  all() {
    return this.#known.values()
  }

  /** What an answer said of an image, which its event says a moment later. @param {ImageBody} image */
  learn(image) {
    // Its events may have overtaken the answer: what they say is newer.
    if (this.#known.get(image.name)?.uid === image.uid) return
    this.#known.set(image.name, image)
    this.version += 1
    this.#changed()
  }

  /** That an image is gone, which its event says a moment later. @param {{ name: string, uid: string }} gone */
  forget(gone) {
    this.#drop(gone)
    this.version += 1
    this.#changed()
  }

  /** Listens until the signal, whatever happens to the service. @param {AbortSignal} signal */
  async follow(signal) {
    let pause = first
    while (!signal.aborted) {
      try {
        const opened = () => {
          pause = first
          if (this.trouble !== null) this.#returned()
          this.#hears(null)
        }
        const take = (/** @type {Told} */ told) => {
          if (!signal.aborted) this.#take(told)
        }
        await listen(this.#api, this.#lastId, { opened, take }, signal)
        this.#hears('the service has ended the stream of events; it is asked again')
      } catch (error) {
        // Without another token it would only be refused again.
        if (signal.aborted || (error instanceof Problem && error.asksForToken)) return
        // Another caller by now, or one who may do less.
        if (error instanceof Problem && error.status === 403) this.#returned()
        this.#hears(error instanceof Error ? error.message : String(error))
      }
      await passed(pause, signal)
      pause = Math.min(pause * 2, longest)
    }
  }

  /** @param {string | null} trouble */
  #hears(trouble) {
    this.trouble = trouble
    this.#changed()
  }

  /** @param {Told} told */
  #take({ event, data, id }) {
    if (id !== null) this.#lastId = id
    if (event === 'reset') this.#coming = new Set()
    else if (event === 'image') this.#keep(JSON.parse(data))
    else if (event === 'deleted') this.#drop(JSON.parse(data))
    this.version += 1
    // The frame that bears an id ends the whole state.
    if (this.#coming && id !== null && id !== '') this.#settle(this.#coming)
    if (!this.#coming || this.#coming.size === fewest) this.#changed()
  }

  /** @param {ImageBody} image */
  #keep(image) {
    this.#coming?.add(image.name)
    this.#known.set(image.name, image)
  }

  /** @param {{ name: string, uid: string }} gone */
  #drop({ name, uid }) {
    if (this.#known.get(name)?.uid === uid) this.#known.delete(name)
  }

  /** @param {Set<string>} told */
  #settle(told) {
    this.#coming = null
    this.isComplete = true
    for (const name of this.#known.keys()) if (!told.has(name)) this.#known.delete(name)
  }
}
