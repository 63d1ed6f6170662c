import { html, nothing } from 'lit-html'
import { Problem } from '../api.js'
import { roomIn, piecesOf } from '../use.js'
import { size } from '../words.js'
import { care } from './care.js'
import { bar, legend, table, treemap } from './use-picture.js'
/** @import { App } from '../app.js' */
/** @import { SharesBody, StorageBody } from '../../../api/storage-schema.ts' */
/** @import { Piece } from '../use.js' */

/** Milliseconds between two looks, while somebody has this before the eyes, and while a run is going on. */
const [usually, running] = [5000, 1500]
/** Rows of the table at first. */
const few = 25

/** What takes how much, as a picture and in words, and the runs that look after it. */
export class Storage {
  /** @type {StorageBody | null} */
  #figures = null
  /** @type {SharesBody | null} */
  #shares = null
  #problem = ''
  #showsAll = false
  #isReading = false
  /** @type {ReturnType<typeof setTimeout> | null} */
  #next = null
  #app

  /** @param {App} app */
  constructor(app) {
    this.#app = app
    document.addEventListener('visibilitychange', () => this.#again())
  }

  /** Whenever somebody comes here, and again and again until somebody leaves. */
  async look() {
    if (this.#isReading) return
    this.#isReading = true
    if (this.#next) clearTimeout(this.#next)
    await this.#read()
    this.#isReading = false
    this.#app.changed()
    this.#next = setTimeout(() => this.#again(), this.#isBusy ? running : usually)
  }

  #again() {
    if (this.#isLookedAt) void this.look()
  }

  get #isLookedAt() {
    const { place, asksForToken } = this.#app
    return place.view === 'storage' && !asksForToken && !document.hidden
  }

  get #isBusy() {
    return this.#figures?.gc?.state === 'running' || this.#figures?.scrub?.state === 'running'
  }

  async #read() {
    try {
      const { api } = this.#app
      const answers = [api.read('api/v1/storage'), api.read('api/v1/storage/shares')]
      ;[this.#figures, this.#shares] = await Promise.all(answers)
      this.#problem = ''
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      this.#problem = error.sentence
    }
  }

  view() {
    return html`
      <h2>Storage</h2>
      ${this.#problem === '' ? nothing : html`<p class="bad" role="alert">${this.#problem}</p>`}
      ${this.#contents()}
    `
  }

  #contents() {
    if (!this.#figures || !this.#shares) {
      return this.#problem === '' ? html`<p role="status">It is being read…</p>` : nothing
    }
    const { bytes } = this.#figures
    const pieces = piecesOf(this.#shares, Number(bytes.staged))
    return html`
      ${summary(bytes, pieces)} ${bar(bytes)} ${legend(pieces)} ${treemap(pieces)}
      ${table(this.#showsAll ? pieces : pieces.slice(0, few), pieces.length)}
      ${
        pieces.length > few && !this.#showsAll
          ? html`<p>
              <button @click=${() => this.#showAll()}>Show all ${pieces.length}</button>
            </p>`
          : nothing
      }
      ${care(this.#app, this.#figures, () => void this.look())}
    `
  }

  #showAll() {
    this.#showsAll = true
    this.#app.changed()
  }
}

/** @param {StorageBody['bytes']} bytes @param {readonly Piece[]} pieces */
function summary(bytes, pieces) {
  const room = roomIn(bytes)
  const unneeded = pieces.find(({ kind }) => kind === 'unneeded')?.bytes ?? 0
  const saved = Number(bytes.logical) - Number(bytes.blobs) + unneeded
  const limit = bytes.limit === undefined ? '' : ` of the ${size(bytes.limit)} that are allowed`
  return html`<p>
    ${size(bytes.blobs)}${limit} are stored${room === null ? '' : `, ${size(room)} are free`}.
    ${room === null ? 'The object storage does not tell how much is free.' : nothing}
    ${saved > 0 ? `Without sharing it would be ${size(saved)} more.` : nothing}
    ${Number(bytes.staged) > 0 ? `${size(bytes.staged)} are on their way in.` : nothing}
  </p>`
}
