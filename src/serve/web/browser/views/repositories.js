import { html, nothing } from 'lit-html'
import { Problem } from '../api.js'
import { hashOf } from '../place.js'
import { Registry } from '../registry.js'
import { Repository } from '../repository.js'
import { repositoryView } from './repository.js'
/** @import { App } from '../app.js' */

/** Of one page of the list. */
const page = 1000

/** What the registry has: repositories, and the one that is looked at. */
export class Repositories {
  /** @type {readonly string[]} */
  #names = []
  #hasMore = false
  #isRead = false
  #problem = ''
  #search = ''
  /** @type {Repository | null} */
  #shown = null
  #app
  #registry
  #left = new AbortController()
  /** Under which a page of the list is asked for at present. @type {AbortSignal | null} */
  #asked = null

  /** @param {App} app */
  constructor(app) {
    this.#app = app
    this.#registry = new Registry(app.api)
  }

  /** @param {string} name of a repository; empty for all */
  async look(name) {
    this.leave()
    if (name === '') return await this.#list('')
    this.#shown = new Repository(name, this.#registry, () => this.#app.changed())
    await this.#shown.more()
  }

  /** What is still asked for is of no use when somebody is elsewhere. */
  leave() {
    this.#left.abort()
    this.#left = new AbortController()
    this.#shown?.leave()
    this.#shown = null
  }

  view() {
    const { view, name } = this.#app.place
    if (view === 'repository') {
      return this.#shown?.name === name
        ? repositoryView(this.#app, this.#shown)
        : html`<h2>${name}</h2>`
    }
    return html`
      <h2>Repositories</h2>
      ${this.#problem === '' ? nothing : html`<p class="bad" role="alert">${this.#problem}</p>`}
      ${this.#all()}
    `
  }

  #all() {
    if (!this.#isRead) return html`<p role="status">They are being read…</p>`
    if (this.#names.length === 0) return this.#problem === '' ? none() : nothing
    const words = this.#search.toLowerCase().split(/\s+/).filter(Boolean)
    const found = this.#names.filter((name) => words.every((word) => name.includes(word)))
    return html`
      ${this.#tools()}
      <p class="count" role="status">${this.#count(found.length)}</p>
      <ul class="list">
        ${found.map(
          (name) => html`<li><a href=${hashOf({ view: 'repository', name })}>${name}</a></li>`,
        )}
      </ul>
      ${
        this.#hasMore
          ? html`<p><button @click=${() => this.#list(this.#names.at(-1) ?? '')}>More</button></p>`
          : nothing
      }
    `
  }

  #tools() {
    return html`<form
      class="tools"
      role="search"
      @submit=${(/** @type {Event} */ event) => event.preventDefault()}
    >
      <label>
        <span class="unseen">Search</span>
        <input
          type="search"
          placeholder="Search by name"
          .value=${this.#search}
          @input=${(/** @type {Event} */ { target }) => {
            this.#search = target instanceof HTMLInputElement ? target.value : ''
            this.#app.changed()
          }}
        />
      </label>
    </form>`
  }

  /** @param {number} found */
  #count(found) {
    const all = this.#hasMore ? `the first ${this.#names.length}` : String(this.#names.length)
    return found === this.#names.length ? `${all} repositories` : `${found} of ${all} repositories`
  }

  /** @param {string} last */
  async #list(last) {
    const { signal } = this.#left
    // A second press of the button finds the first one at it.
    if (this.#asked === signal) return
    this.#asked = signal
    try {
      const { items, hasMore } = await this.#registry.repositories(last, page, signal)
      if (signal.aborted) return
      this.#names = last === '' ? items : [...this.#names, ...items]
      this.#hasMore = hasMore
      this.#problem = ''
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof Problem)) throw error
      this.#problem = error.sentence
    }
    this.#asked = null
    this.#isRead = true
    this.#app.changed()
  }
}

function none() {
  return html`<div class="empty">
    <p>There is no repository yet.</p>
    <p>
      Each image is one as soon as it is ready, and docker, podman, skopeo and oras may push others.
    </p>
  </div>`
}
