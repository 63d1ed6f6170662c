import { Problem } from './api.js'
import { digestOf, unreadable } from './digest.js'
import { Pace } from './pace.js'
import { passedOrOnline } from './passed.js'
import { send } from './tus.js'
/** @import { App } from './app.js' */
/** @import { ImageBody } from '../../../image/status.ts' */

/** @typedef {'waiting' | 'sending' | 'away' | 'paused' | 'sent' | 'refused'} State */
/** How an upload stands, as its address tells. @typedef {{ phase: string, offset: string, length?: string }} Standing */

/** Milliseconds between two attempts: doubled, up to the longest, for as long as the service keeps the upload. */
const [first, longest] = [500, 15_000]

/** One file on its way to the service. */
export class Sending {
  /** @type {State} */
  state = 'waiting'
  /** Bytes that are there. */
  sent = 0
  /** The file's own, once it is worked out. @type {string | null} */
  sha256 = null
  /** Why it does not move, or why it never will. */
  message = ''
  /** Whether the service is to forget what it has of another file. */
  isAnew = false
  name
  uid
  file
  address
  #app
  #pace = new Pace()
  #stopping = new AbortController()

  /** @param {App} app @param {ImageBody} image @param {File} file @param {string} address where it is sent to */
  constructor(app, { name, uid }, file, address) {
    this.#app = app
    this.name = name
    this.uid = uid
    this.file = file
    this.address = address
  }

  /** Bytes per second, at present. */
  get speed() {
    return this.state === 'sending' ? this.#pace.speed : 0
  }

  /** Whether it needs this page. */
  get isUnderWay() {
    return this.state !== 'sent' && this.state !== 'refused'
  }

  /** Until all is there, or it is refused, or paused. */
  async run() {
    this.#stopping = new AbortController()
    const { signal } = this.#stopping
    try {
      await this.#insist(signal)
      this.#is('sent')
      // Not before: it would take the time of the sending.
      void this.#digest(signal)
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof Problem)) throw error
      this.#is('refused', error.message)
    }
  }

  /** What is there stays there; `run` goes on. */
  pause() {
    this.#is('paused')
    this.#stopping.abort()
  }

  /** Nobody looks at it any more. */
  leave() {
    this.#stopping.abort()
  }

  wait() {
    this.#is('waiting')
  }

  /** @param {AbortSignal} signal @throws {Problem} when it is of no use to try again */
  async #insist(signal) {
    for (let pause = first; ; pause = Math.min(pause * 2, longest)) {
      const before = this.sent
      try {
        this.#is('sending')
        await this.#attempt(signal)
        return
      } catch (error) {
        if (signal.aborted || !(error instanceof Problem)) throw error
        await this.#assertWorthwhile(error)
        if (this.sent > before) pause = first
        this.#is('away', error.message)
      }
      await passedOrOnline(pause, signal)
      signal.throwIfAborted()
    }
  }

  /** @param {AbortSignal} signal @throws {Problem} */
  async #attempt(signal) {
    await this.#announce(await this.#app.api.read(this.address, signal), signal)
    this.#pace.forget()
    const sent = (/** @type {number} */ bytes) => {
      this.sent = bytes
      this.#pace.saw(bytes, performance.now())
      this.#app.changed()
    }
    await send(this.file, new URL(this.address, document.baseURI).href, { sent, signal })
  }

  /** The service is told the length before the first byte. @param {Standing} standing @param {AbortSignal} signal @throws {Problem} */
  async #announce({ phase, offset, length }, signal) {
    const { size } = this.file
    if (phase === 'Ready') return
    if (this.isAnew || length === undefined || (Number(length) !== size && offset === '0')) {
      const headers = { 'tus-resumable': '1.0.0', 'upload-length': String(size) }
      await this.#app.api.open(this.address, { method: 'POST', headers, signal })
      this.isAnew = false
    } else if (Number(length) !== size) {
      throw new Problem(
        `another file was begun here, of ${length} bytes; this one has ${size}. Choose the other one, or delete the image`,
        { code: 'OTHER_FILE', status: -1 },
      )
    }
  }

  /** @param {Problem} problem @throws {Problem} one that no further attempt would mend */
  async #assertWorthwhile(problem) {
    if (!problem.isPassing) throw problem
    if (problem.status !== 0) return
    // A browser says the same of a file that it can read no more as of a connection that broke.
    try {
      await this.file.slice(this.sent, this.sent + 1).arrayBuffer()
    } catch {
      throw unreadable(this.file)
    }
  }

  /** @param {AbortSignal} signal */
  async #digest(signal) {
    try {
      this.sha256 = await digestOf(this.file, signal)
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof Problem)) throw error
      this.message = error.message
    }
    this.#app.changed()
  }

  /** @param {State} state @param {string} [message] */
  #is(state, message = '') {
    this.state = state
    this.message = message
    this.#app.changed()
  }
}
