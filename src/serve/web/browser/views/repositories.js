import { html, nothing } from 'lit-html'
import { Problem } from '../api.js'
import { hashOf } from '../place.js'
import { size } from '../words.js'
/** @import { App } from '../app.js' */

/** Of one page of a list; the registry has more behind `last`. */
const page = 100

/** @typedef {{ readonly digest: string, readonly artifactType?: string, readonly mediaType: string, readonly size: number, readonly annotations?: Record<string, string> }} Descriptor */
/** @typedef {{ readonly tag: string, readonly digest: string, readonly bytes: number, readonly referrers: readonly Descriptor[] }} Tagged */

/** What the registry has: repositories, their tags, and what refers to those. */
export class Repositories {
  /** @type {readonly string[]} */
  #names = []
  #hasMore = false
  #shown = ''
  /** @type {readonly Tagged[]} */
  #tags = []
  #isRead = false
  #problem = ''
  #app

  /** @param {App} app */
  constructor(app) {
    this.#app = app
  }

  /** @param {string} name of a repository; empty for all */
  async look(name) {
    this.#isRead = false
    this.#shown = name
    await this.#trying(async () => {
      if (name === '') await this.#list('')
      else this.#tags = await this.#tagsOf(name)
    })
  }

  view() {
    if (this.#problem !== '')
      return html`<h2>Repositories</h2>
        <p class="bad">${this.#problem}</p>`
    if (!this.#isRead)
      return html`<h2>Repositories</h2>
        <p role="status">They are being read…</p>`
    return this.#shown === '' ? this.#all() : this.#one()
  }

  #all() {
    return html`
      <h2>Repositories</h2>
      ${this.#names.length === 0 ? html`<p>There is none yet.</p>` : nothing}
      <ul class="list">
        ${this.#names.map(
          (name) => html`<li><a href=${hashOf({ view: 'repository', name })}>${name}</a></li>`,
        )}
      </ul>
      ${
        this.#hasMore
          ? html`<button @click=${() => this.#trying(() => this.#list(this.#names.at(-1) ?? ''))}>
              More
            </button>`
          : nothing
      }
    `
  }

  #one() {
    return html`
      <p><a href="#/repositories">All repositories</a></p>
      <h2>${this.#shown}</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Tag</th>
            <th scope="col">Digest</th>
            <th scope="col">Bytes</th>
            <th scope="col">Referrers</th>
          </tr>
        </thead>
        <tbody>
          ${this.#tags.map((tagged) => row(tagged))}
        </tbody>
      </table>
    `
  }

  /** @param {() => Promise<void>} work */
  async #trying(work) {
    try {
      await work()
      this.#problem = ''
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      this.#problem = error.message
    }
    this.#isRead = true
    this.#app.changed()
  }

  /** @param {string} last */
  async #list(last) {
    const { repositories } = await this.#app.api.read(
      `v2/_catalog?n=${page}${last === '' ? '' : `&last=${encodeURIComponent(last)}`}`,
    )
    this.#names = last === '' ? repositories : [...this.#names, ...repositories]
    this.#hasMore = repositories.length === page
  }

  /** @param {string} name */
  async #tagsOf(name) {
    const { tags } = await this.#app.api.read(`v2/${name}/tags/list?n=${page}`)
    return await Promise.all(
      (tags ?? []).map((/** @type {string} */ tag) => this.#tagged(name, tag)),
    )
  }

  /** @param {string} name @param {string} tag @returns {Promise<Tagged>} */
  async #tagged(name, tag) {
    const accept =
      'application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json'
    const answer = await this.#app.api.open(`v2/${name}/manifests/${tag}`, { headers: { accept } })
    const digest = answer.headers.get('docker-content-digest') ?? ''
    const { layers = [], config } = await answer.json()
    const parts = [...layers, ...(config ? [config] : [])]
    const { manifests: referrers } = await this.#app.api.read(`v2/${name}/referrers/${digest}`)
    const bytes = parts.reduce((sum, part) => sum + part.size, 0)
    return { tag, digest, bytes, referrers }
  }
}

/** @param {Tagged} tagged */
function row({ tag, digest, bytes, referrers }) {
  return html`<tr>
    <th scope="row">${tag}</th>
    <td><code title=${digest}>${digest.slice(0, 19)}…</code></td>
    <td>${size(bytes)}</td>
    <td>
      ${
        referrers.length === 0
          ? '–'
          : html`<ul>
              ${referrers.map(
                ({ artifactType, mediaType, digest }) =>
                  html`<li>${artifactType ?? mediaType} <code>${digest.slice(0, 19)}…</code></li>`,
              )}
            </ul>`
      }
    </td>
  </tr>`
}
