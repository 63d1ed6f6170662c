import { html, nothing } from 'lit-html'
import { ifDefined } from 'lit-html/directives/if-defined.js'
import { ref } from 'lit-html/directives/ref.js'
import { repeat } from 'lit-html/directives/repeat.js'
import { everything, listed } from '../listing.js'
import { hashOf } from '../place.js'
import { styled } from './styled.js'
import { age, movement, percent, phaseWords, size, trouble } from '../words.js'
/** @import { App } from '../app.js' */
/** @import { ImageBody } from '../../../../image/status.ts' */
/** @import { Wish } from '../listing.js' */

/** Of a row, in pixels; the style has the same. On a narrow page it has two lines. */
const [wide, narrow] = [52, 92]
/** Rows that are drawn above and below those that can be seen. */
const beyond = 10
const isNarrow = matchMedia('(max-width: 48rem)')

/** The images: what is searched and sorted, and those rows of it that can be seen. */
export class ImageList {
  /** @type {Wish} */
  #wish = everything
  #app
  /** @type {readonly ImageBody[]} */
  #shown = []
  /** @type {HTMLElement | null} */
  #scroller = null
  #sizes
  /** @param {App} app */
  constructor(app) {
    this.#app = app
    this.#sizes = new ResizeObserver(() => app.changed())
    isNarrow.addEventListener('change', () => app.changed())
  }

  view() {
    const { images } = this.#app
    this.#shown = listed(images.all(), this.#wish)
    return html`
      ${this.#tools()}
      <p class="count" role="status">${this.#count()}</p>
      ${this.#shown.length === 0 ? this.#none() : this.#table()}
    `
  }

  #tools() {
    const { search, phase, kind, order } = this.#wish
    return html`
      <form
        class="tools"
        role="search"
        @submit=${(/** @type {Event} */ event) => event.preventDefault()}
      >
        <label>
          <span class="unseen">Search</span>
          <input
            type="search"
            placeholder="Search by name, format or source"
            .value=${search}
            @input=${this.#taking('search')}
          />
        </label>
        <label>
          Phase
          <select .value=${phase} @change=${this.#taking('phase')}>
            <option value="">All</option>
            ${Object.entries(phaseWords).map(
              ([value, { text }]) => html`<option value=${value}>${text}</option>`,
            )}
          </select>
        </label>
        <label>
          Kind
          <select .value=${kind} @change=${this.#taking('kind')}>
            <option value="">All</option>
            <option value="iso">ISO</option>
            <option value="disk">Disk</option>
          </select>
        </label>
        <label>
          Sort by
          <select .value=${order} @change=${this.#taking('order')}>
            <option value="name">Name</option>
            <option value="newest">Newest</option>
            <option value="largest">Largest</option>
            <option value="phase">Attention</option>
          </select>
        </label>
      </form>
    `
  }

  /** @param {keyof Wish} field */
  #taking(field) {
    return (/** @type {Event} */ { target }) => {
      if (!(target instanceof HTMLInputElement) && !(target instanceof HTMLSelectElement)) return
      this.#wish = { ...this.#wish, [field]: target.value }
      this.#scroller?.scrollTo({ top: 0 })
      this.#app.changed()
    }
  }

  #count() {
    const { images } = this.#app
    if (!images.isComplete) return 'Images are being read…'
    if (this.#shown.length === images.size) return `${images.size} images`
    return `${this.#shown.length} of ${images.size} images`
  }

  #none() {
    const { images } = this.#app
    if (!images.isComplete) return nothing
    return images.size === 0
      ? html`<div class="empty">
          <p>There is no image yet.</p>
          <p>
            Drop a disk or an ISO anywhere on this page, or add one from a URL or a container
            registry.
          </p>
        </div>`
      : html`<p class="empty">
          No image is like that. <button @click=${() => this.#clear()}>Show all</button>
        </p>`
  }

  #clear() {
    this.#wish = everything
    this.#app.changed()
  }

  #table() {
    const height = isNarrow.matches ? narrow : wide
    const { from, to } = this.#visible(height)
    return html`
      <div
        class="rows"
        role="table"
        aria-label="Images"
        aria-rowcount=${this.#shown.length + 1}
        @scroll=${() => this.#app.changed()}
        ${ref((element) => this.#placed(element))}
      >
        <div role="row" class="row head" aria-rowindex="1">
          ${['Name', 'Phase', 'Format', 'Size', 'Stored', 'Age'].map(
            (text) => html`<span role="columnheader">${text}</span>`,
          )}
        </div>
        <div
          role="rowgroup"
          class="window"
          ${styled({ height: `${this.#shown.length * height}px` })}
        >
          ${repeat(
            this.#shown.slice(from, to),
            ({ name }) => name,
            (image, at) => this.#row(image, from + at, height),
          )}
        </div>
      </div>
    `
  }

  /** @param {Element | undefined} element */
  #placed(element) {
    const scroller = element instanceof HTMLElement ? element : null
    if (scroller === this.#scroller) return
    this.#scroller = scroller
    this.#sizes.disconnect()
    if (!scroller) return
    this.#sizes.observe(scroller)
    this.#app.changed()
  }

  /** @param {number} height of a row @returns {{ from: number, to: number }} of the rows that are drawn */
  #visible(height) {
    const { scrollTop = 0, clientHeight = 0 } = this.#scroller ?? {}
    const from = Math.max(0, Math.floor(scrollTop / height) - beyond)
    return { from, to: from + Math.ceil(clientHeight / height) + 2 * beyond }
  }

  /** @param {ImageBody} image @param {number} index @param {number} height */
  #row(image, index, height) {
    const { name, status, createdAt } = image
    return html`
      <div
        role="row"
        class="row"
        aria-rowindex=${index + 2}
        ${styled({ transform: `translateY(${index * height}px)` })}
      >
        <span role="cell" class="name"><a href=${hashOf({ view: 'image', name })}>${name}</a></span>
        <span role="cell" class="state">${phase(image)}</span>
        <span role="cell">${status.format ?? '–'}</span>
        <span role="cell">${size(status.size?.unpackedBytes)}</span>
        <span role="cell">${size(status.size?.storedBytes)}</span>
        <span role="cell"><time datetime=${createdAt}>${age(createdAt, Date.now())}</time></span>
      </div>
    `
  }
}

/** The phase, how far it has come, and what is the matter. @param {ImageBody} image */
export function phase(image) {
  const { text, tone } = phaseWords[image.status.phase]
  const told = trouble(image)
  return html`
    <span class="phase ${tone}" title=${ifDefined(told === '' ? undefined : told)}>${text}</span>
    ${image.status.phase === 'Provisioning' ? progress(image) : nothing}
  `
}

/** @param {ImageBody} image */
function progress({ name, status }) {
  const value = percent(status)
  return html`
    <progress
      aria-label="Progress of ${name}"
      max="100"
      value=${ifDefined(value ?? undefined)}
    ></progress>
    <span class="movement">${value === null ? '' : `${value}%`} ${movement(status)}</span>
  `
}
