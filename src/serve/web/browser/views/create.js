import { html, nothing } from 'lit-html'
import { ref } from 'lit-html/directives/ref.js'
import { Problem } from '../api.js'
import { hashOf } from '../place.js'
import { suggested } from '../naming.js'
import { verdict } from './verdict.js'
/** @import { App } from '../app.js' */
/** @import { Uploads } from '../uploads.js' */
/** @import { ProbeBody } from '../../../api/schema.ts' */

/** @typedef {'url' | 'registry' | 'file'} Way */
/** @type {readonly (readonly [Way, string])[]} */
const ways = [
  ['url', 'From a URL'],
  ['registry', 'From a registry'],
  ['file', 'From this computer'],
]

/** The dialog in which an image is made. What it would be is looked at before a byte is imported. */
export class Create {
  /** @type {Way} */
  #way = 'url'
  #place = ''
  #name = ''
  #sha256 = ''
  #secret = ''
  /** @type {ProbeBody | null} */
  #verdict = null
  #problem = ''
  #isBusy = false
  /** @type {HTMLDialogElement | null} */
  #dialog = null
  #app
  #uploads

  /** @param {App} app @param {Uploads} uploads */
  constructor(app, uploads) {
    this.#app = app
    this.#uploads = uploads
  }

  /** @param {Way} way */
  open(way) {
    this.#way = way
    this.#forget()
    this.#dialog?.showModal()
  }

  close() {
    this.#dialog?.close()
  }

  view() {
    return html`
      <dialog
        class="create"
        aria-labelledby="create-title"
        ${ref((element) => this.#placed(element))}
      >
        <h2 id="create-title">Add an image</h2>
        <div role="tablist" aria-label="Where it comes from" @keydown=${this.#turned}>
          ${ways.map(([way, text]) => this.#tab(way, text))}
        </div>
        <div role="tabpanel" id="create-panel" aria-labelledby="create-${this.#way}">
          ${this.#way === 'file' ? this.#files() : this.#form()}
        </div>
      </dialog>
    `
  }

  /** @param {Element | undefined} element */
  #placed(element) {
    this.#dialog = element instanceof HTMLDialogElement ? element : null
  }

  /** @param {Way} way @param {string} text */
  #tab(way, text) {
    const isChosen = way === this.#way
    return html`<button
      type="button"
      role="tab"
      id="create-${way}"
      aria-selected=${isChosen}
      aria-controls="create-panel"
      tabindex=${isChosen ? 0 : -1}
      @click=${() => this.#choose(way)}
    >
      ${text}
    </button>`
  }

  /** Arrows go from tab to tab, as in every list of tabs (WAI-ARIA, "Tabs"). */
  #turned = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (step === undefined) return
    const at = ways.findIndex(([way]) => way === this.#way)
    const [way] = ways[(at + step + ways.length) % ways.length] ?? ['url']
    this.#choose(way)
    requestAnimationFrame(() => document.getElementById(`create-${way}`)?.focus())
  }

  /** @param {Way} way */
  #choose(way) {
    this.#way = way
    this.#forget()
  }

  #forget() {
    this.#place = ''
    this.#name = ''
    this.#sha256 = ''
    this.#secret = ''
    this.#change()
  }

  /** What was found out was about something else. */
  #change() {
    this.#verdict = null
    this.#problem = ''
    this.#app.changed()
  }

  #form() {
    const isUrl = this.#way === 'url'
    return html`
      <form @submit=${this.#submitted}>
        <label>
          ${isUrl ? 'URL' : 'Container image'}
          <input
            name="place"
            required
            type=${isUrl ? 'url' : 'text'}
            placeholder=${isUrl ? 'https://example.com/ubuntu.img' : 'registry.example.com/team/image:tag'}
            .value=${this.#place}
            @input=${this.#placeTyped}
          />
        </label>
        ${isUrl ? this.#beside() : nothing}
        <label>
          Name
          <input
            name="name"
            required
            pattern="[a-z0-9]([-a-z0-9]*[a-z0-9])?"
            maxlength="200"
            title="a-z, 0-9 and hyphens"
            .value=${this.#name}
            @input=${(/** @type {InputEvent} */ event) => {
              this.#name = textOf(event)
            }}
          />
        </label>
        <div aria-live="polite">${this.#told()}</div>
        <div class="buttons">
          <button type="button" @click=${() => this.#dialog?.close()}>Cancel</button>
          <button
            ?disabled=${this.#isBusy}
            class=${this.#verdict?.accepted ? '' : 'main'}
            value="look"
          >
            Look at it
          </button>
          ${
            this.#verdict?.accepted
              ? html`<button ?disabled=${this.#isBusy} class="main" value="import">Import</button>`
              : nothing
          }
        </div>
      </form>
    `
  }

  #beside() {
    return html`
      <label>
        SHA-256, if you know it
        <input
          name="sha256"
          pattern="[0-9a-fA-F]{64}"
          title="64 hex characters"
          .value=${this.#sha256}
          @input=${(/** @type {InputEvent} */ event) => {
            this.#sha256 = textOf(event)
            this.#change()
          }}
        />
      </label>
      <label>
        Token for the source, if it asks for one
        <input
          name="secret"
          type="password"
          autocomplete="off"
          .value=${this.#secret}
          @input=${(/** @type {InputEvent} */ event) => {
            this.#secret = textOf(event)
            this.#change()
          }}
        />
      </label>
    `
  }

  #placeTyped = (/** @type {InputEvent} */ event) => {
    const before = suggested(this.#place)
    this.#place = textOf(event)
    if (this.#name === before || this.#name === '') this.#name = suggested(this.#place)
    this.#change()
  }

  #told() {
    if (this.#isBusy) return html`<p>It is looked at…</p>`
    if (this.#problem !== '') return html`<p class="bad">${this.#problem}</p>`
    return this.#verdict ? verdict(this.#verdict) : nothing
  }

  #submitted = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    const button = event.submitter
    const isImport = button instanceof HTMLButtonElement && button.value === 'import'
    this.#isBusy = true
    this.#problem = ''
    this.#app.changed()
    try {
      await (isImport ? this.#import() : this.#look())
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      this.#problem = [
        error.message,
        ...error.fields.map(({ path, message }) => `${path}: ${message}`),
      ].join('; ')
    } finally {
      this.#isBusy = false
      this.#app.changed()
    }
  }

  async #look() {
    const body = { dataSource: this.#source() }
    this.#verdict = await this.#app.api.change('POST', 'api/v1/probe', { body })
  }

  async #import() {
    const body = { name: this.#name, dataSource: this.#source() }
    const image = await this.#app.api.change('POST', 'api/v1/images', { body })
    this.#app.images.learn(image)
    this.#dialog?.close()
    this.#app.say(`${image.name} is being imported`)
    location.hash = hashOf({ view: 'image', name: image.name })
  }

  #source() {
    if (this.#way === 'registry') {
      return { type: 'ContainerImage', containerImage: { image: this.#place } }
    }
    const checksum = this.#sha256 === '' ? {} : { checksum: { sha256: this.#sha256 } }
    const auth = this.#secret === '' ? {} : { auth: { bearer: this.#secret } }
    return { type: 'HTTP', http: { url: this.#place, ...checksum, ...auth } }
  }

  #files() {
    return html`
      <p>
        Drop files anywhere on this page, or choose them here. Each becomes an image of its name.
      </p>
      <input
        type="file"
        multiple
        aria-label="Files to send"
        @change=${async (/** @type {Event} */ { target }) => {
          if (!(target instanceof HTMLInputElement)) return
          const files = [...(target.files ?? [])]
          this.#dialog?.close()
          await this.#uploads.take(files)
        }}
      />
      <div class="buttons">
        <button type="button" @click=${() => this.#dialog?.close()}>Cancel</button>
      </div>
    `
  }
}

/** @param {Event} event */
function textOf({ target }) {
  return target instanceof HTMLInputElement ? target.value.trim() : ''
}
