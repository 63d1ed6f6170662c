import { html, nothing } from 'lit-html'
import { ref } from 'lit-html/directives/ref.js'
import { repeat } from 'lit-html/directives/repeat.js'
import { columns, directionOf, Listing, orderAfter, queryOf, wishOf } from '../listing.js'
import { ageLasts } from '../words.js'
import { imageRow } from './image-row.js'
import { imageTools } from './image-tools.js'
import { styled } from './styled.js'
/** @import { App } from '../app.js' */
/** @import { Place } from '../place.js' */
/** @import { ImageBody } from '../../../../image/status.ts' */

/** Of a row, in pixels; the style has the same. On a narrow page it has up to four lines. */
const [wide, narrow] = [52, 104]
/** Rows that are drawn above and below those that can be seen. */
const beyond = 10
/** Rows that are drawn around the one that has the focus, wherever it is: Tab leads from one to the next. */
const around = 2
const isNarrow = matchMedia('(max-width: 48rem)')

/** The images: what is searched and sorted, and those rows of it that can be seen. */
export class ImageList {
  #app
  #listing = new Listing()
  /** What the address asks for. */
  #query = ''
  /** @type {readonly ImageBody[]} */
  #shown = []
  /** @type {HTMLElement | null} */
  #scroller = null
  /** Where somebody was in this list, in pixels, for when they come back. */
  #top = 0
  /** The row that had the focus last. */
  #last = ''
  /** The row that gets the focus with the next drawing; empty for none. */
  #wanted = ''
  #sizes

  /** @param {App} app */
  constructor(app) {
    this.#app = app
    this.#sizes = new ResizeObserver(() => app.changed())
    isNarrow.addEventListener('change', () => app.changed())
  }

  /** Leads back to what was shown. @returns {Place} */
  get place() {
    return { view: 'images', name: '', query: this.#query }
  }

  view() {
    const { place, images } = this.#app
    const kept = this.#kept()
    this.#asked(place.query ?? '')
    this.#shown = this.#listing.of(images, wishOf(this.#query))
    this.#app.changesIn(ageLasts)
    const focus = this.#indexOf(kept)
    if (kept) queueMicrotask(() => this.#focus(focus, kept.isMoving))
    return html`
      ${imageTools(wishOf(this.#query), (field, value) => this.#wish({ [field]: value }))}
      <p class="count" role="status">${this.#count()}</p>
      ${this.#shown.length === 0 ? this.#none() : this.#table(focus)}
    `
  }

  /** @param {string} query */
  #asked(query) {
    if (query === this.#query) return
    this.#query = query
    this.#top = 0
    this.#scroller?.scrollTo({ top: 0 })
  }

  /** @param {Record<string, string>} changes of the wish */
  #wish(changes) {
    const asked = new URLSearchParams({ ...wishOf(this.#query), ...changes })
    const query = queryOf(wishOf(asked.toString()))
    this.#app.replace({ view: 'images', name: '', query })
  }

  #count() {
    const { images } = this.#app
    if (!images.isComplete) return 'Images are being read…'
    if (this.#shown.length < images.size) return `${this.#shown.length} of ${images.size} images`
    return images.size === 1 ? '1 image' : `${images.size} images`
  }

  #none() {
    const { images, session } = this.#app
    if (!images.isComplete) return nothing
    if (images.size > 0) {
      return html`<p class="empty">
        No image is like that.
        <button @click=${() => this.#app.replace({ view: 'images', name: '' })}>Show all</button>
      </p>`
    }
    if (!session.may('write')) return html`<p class="empty">There is no image yet.</p>`
    return html`<div class="empty">
      <p>There is no image yet.</p>
      <p>
        Drop a disk or an ISO anywhere on this page, or add one from a URL or a container registry.
      </p>
    </div>`
  }

  /** @param {number} focus index of the row that has the focus, -1 for none */
  #table(focus) {
    const height = isNarrow.matches ? narrow : wide
    return html`
      <div
        class="rows"
        role="table"
        aria-label="Images"
        aria-rowcount=${this.#shown.length + 1}
        @scroll=${this.#scrolled}
        @keydown=${this.#keyed}
        @focusin=${this.#focused}
        ${ref(this.#placed)}
      >
        <div role="row" class="row head" aria-rowindex="1">${this.#heads()}</div>
        <div
          role="rowgroup"
          class="window"
          ${styled({ height: `${this.#shown.length * height}px` })}
        >
          ${repeat(
            this.#drawn(height, focus),
            ({ image }) => image.name,
            ({ image, index }) => imageRow(image, index, height),
          )}
        </div>
      </div>
    `
  }

  #heads() {
    const { order } = wishOf(this.#query)
    return columns.map(({ key, title }) => {
      const direction = directionOf(key, order)
      return html`<span role="columnheader" aria-sort=${direction ?? nothing}>
        <button @click=${() => this.#wish({ order: orderAfter(key, order) })}>${title}</button>
      </span>`
    })
  }

  #placed = (/** @type {Element | undefined} */ element) => {
    this.#sizes.disconnect()
    this.#scroller = element instanceof HTMLElement ? element : null
    if (!this.#scroller) return
    this.#sizes.observe(this.#scroller)
    queueMicrotask(() => this.#back())
  }

  /** Whoever comes back finds the list as it was left. */
  #back() {
    this.#scroller?.scrollTo({ top: this.#top })
    if (document.activeElement === document.body) this.#wanted = this.#last
    this.#app.changed()
  }

  #scrolled = () => {
    this.#top = this.#scroller?.scrollTop ?? 0
    this.#app.changed()
  }

  #focused = () => {
    this.#last = this.#focusedName()
    this.#app.changed()
  }

  #focusedName() {
    const row = document.activeElement?.closest('.window .row')
    return row instanceof HTMLElement ? (row.dataset['name'] ?? '') : ''
  }

  /** @param {number} height of a row @param {number} focus @returns {{ image: ImageBody, index: number }[]} rows that are drawn */
  #drawn(height, focus) {
    const { scrollTop = 0, clientHeight = 0 } = this.#scroller ?? {}
    const from = Math.max(0, Math.floor(scrollTop / height) - beyond)
    const to = from + Math.ceil(clientHeight / height) + 2 * beyond
    const rows = this.#rows(from, to)
    if (focus === -1) return rows
    const first = Math.max(0, focus - around)
    const last = focus + around + 1
    return [
      ...this.#rows(first, Math.min(last, from)),
      ...rows,
      ...this.#rows(Math.max(first, to), last),
    ]
  }

  /** @param {number} from @param {number} to */
  #rows(from, to) {
    return this.#shown
      .slice(from, Math.max(from, to))
      .map((image, at) => ({ image, index: from + at }))
  }

  /** What has the focus, or is to get it, before anything is drawn anew. */
  #kept() {
    const name = this.#wanted || this.#focusedName()
    if (name === '') return null
    const isMoving = this.#wanted !== ''
    this.#wanted = ''
    return { name, isMoving, before: this.#shown.findIndex((image) => image.name === name) }
  }

  /** Where it is now; one that has gone leaves its place to the next. @param {{ name: string, before: number } | null} kept */
  #indexOf(kept) {
    if (!kept) return -1
    const index = this.#shown.findIndex(({ name }) => name === kept.name)
    return index === -1 ? Math.min(kept.before, this.#shown.length - 1) : index
  }

  /** @param {number} index @param {boolean} isMoving as from row to row, so that it comes into sight */
  #focus(index, isMoving) {
    if (!isMoving && document.activeElement !== document.body) return
    const link = this.#scroller?.querySelector(`[aria-rowindex="${index + 2}"] a`)
    if (link instanceof HTMLElement) link.focus({ preventScroll: !isMoving })
  }

  /** From row to row, as in every long list. */
  #keyed = (/** @type {KeyboardEvent} */ event) => {
    const name = this.#focusedName()
    if (name === '' || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return
    const at = this.#shown.findIndex((image) => image.name === name)
    const to = this.#reached(event.key, at)
    if (to === null) return
    event.preventDefault()
    this.#wanted = this.#shown[Math.min(Math.max(to, 0), this.#shown.length - 1)]?.name ?? ''
    this.#app.changed()
  }

  /** @param {string} key @param {number} at @returns {number | null} */
  #reached(key, at) {
    const height = isNarrow.matches ? narrow : wide
    const page = Math.max(1, Math.floor((this.#scroller?.clientHeight ?? 0) / height) - 1)
    if (key === 'ArrowDown') return at + 1
    if (key === 'ArrowUp') return at - 1
    if (key === 'PageDown') return at + page
    if (key === 'PageUp') return at - page
    if (key === 'Home') return 0
    return key === 'End' ? this.#shown.length - 1 : null
  }
}
