import { Problem } from './api.js'
import { digestOf } from './digest.js'
import * as marks from './marks.js'
import { Pace } from './pace.js'
import { passedOrOnline } from './passed.js'
import { send } from './tus.js'
import { unreadable } from './unreadable.js'
/** @import { App } from './app.js' */
/** @import { Mark } from './marks.js' */
/** @import { ImageBody } from '../../../image/status.ts' */

/** @typedef {{ readonly file: File, readonly mark: Mark }} Marked */
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
  mark
  address
  /** Whether what is there can only have become more, unless somebody else began anew. */
  #isStrict = true
  #app
  #pace = new Pace()
  #stopping = new AbortController()
  /** Bytes that the service has said it has of this file, and the most that it may have by now. */
  #known = { least: 0, most: 0 }

  /** @param {App} app @param {ImageBody} image @param {Marked} marked @param {string} address where it is sent to */
  constructor(app, { name, uid }, { file, mark }, address) {
    this.#app = app
    this.name = name
    this.uid = uid
    this.file = file
    this.mark = mark
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

  /** What is there already is the beginning of this file, however much it is. */
  goesOn() {
    this.#known.most = Infinity
  }

  /** Until all is there, or it is refused, or paused. */
  async run() {
    this.#stopping = new AbortController()
    this.#isStrict = true
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
        // It may have been paused meanwhile.
        signal.throwIfAborted()
        // Who was cut off by a crash may find less there than before.
        this.#isStrict = error.status > 0 && error.status < 500
        if (this.sent > before) pause = first
        this.#is('away', error.message)
      }
      await passedOrOnline(pause, signal)
      signal.throwIfAborted()
    }
  }

  /** @param {AbortSignal} signal @throws {Problem} */
  async #attempt(signal) {
    /** @type {Standing} */
    const standing = await this.#app.api.read(this.address, signal)
    if (standing.phase === 'Ready') return
    const from = await this.#announce(standing, signal)
    this.#pace.forget()
    const sent = (/** @type {number} */ bytes) => {
      this.sent = bytes
      this.#pace.saw(bytes, performance.now())
      this.#app.changed()
    }
    const took = (/** @type {number} */ least, /** @type {number} */ most) => {
      this.#known = { least, most }
    }
    const address = new URL(this.address, document.baseURI).href
    await send(this.file, address, { from, sent, took, signal })
  }

  /**
   * The service is told the length before the first byte.
   * @param {Standing} standing @param {AbortSignal} signal
   * @returns {Promise<number>} bytes that are there
   * @throws {Problem}
   */
  async #announce({ offset, length }, signal) {
    const { size } = this.file
    if (this.isAnew || length === undefined || (Number(length) !== size && offset === '0')) {
      const headers = { 'tus-resumable': '1.0.0', 'upload-length': String(size) }
      await this.#app.api.open(this.address, { method: 'POST', headers, signal })
      this.isAnew = false
      this.#known = { least: 0, most: 0 }
      return 0
    }
    if (Number(length) !== size) {
      throw new Problem(
        `another file was begun here, of ${length} bytes; this one has ${size}. Choose the other one, or delete the image`,
        { code: 'OTHER_FILE', status: -1 },
      )
    }
    this.#assertOwn(Number(offset))
    return Number(offset)
  }

  /** The rest is laid behind nothing but what this page sent, or was told to go on with. @param {number} there @throws {Problem} */
  #assertOwn(there) {
    const { least, most } = this.#known
    const isOwn = there <= most && (there >= least || !this.#isStrict)
    if (isOwn && marks.isRemembered(this.uid, this.mark)) return
    throw new Problem(
      'somebody else has sent a file here meanwhile, in another tab or elsewhere. Wait for it, or choose this file again',
      { code: 'OTHER_FILE', status: -1 },
    )
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
