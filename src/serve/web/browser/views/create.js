import { html, nothing } from 'lit-html'
import { ref } from 'lit-html/directives/ref.js'
import { Problem } from '../api.js'
import { empty, fieldOf, problemsOf, sourceOf } from '../draft.js'
import { suggested } from '../naming.js'
import { hashOf } from '../place.js'
import { fields } from './create-form.js'
import { Replaced } from './replaced.js'
import { tabs } from './tabs.js'
import { refusal, verdict } from './verdict.js'
/** @import { App } from '../app.js' */
/** @import { Draft, Field, Problems, Way } from '../draft.js' */
/** @import { Uploads } from '../uploads.js' */
/** @import { Tab } from './tabs.js' */
/** @import { ImageBody } from '../../../../image/status.ts' */
/** @import { ProbeBody } from '../../../api/schema.ts' */

/** @type {readonly Tab[]} */
const ways = [
  ['url', 'From a URL'],
  ['registry', 'From a registry'],
  ['file', 'From this computer'],
]

/** The dialog in which an image is made. What it would be is looked at before a byte is imported. */
export class Create {
  /** @type {Way} */
  #way = 'url'
  /** @type {Draft} */
  #draft = empty
  /** @type {Problems} */
  #problems = new Map()
  /** The failed image that another one is to take the place of. @type {Replaced | null} */
  #replaced = null
  /** @type {ProbeBody | null} */
  #verdict = null
  /** Of the whole, not of a field. @type {Problem | null} */
  #problem = null
  /** What is asked of the service at present. @type {AbortController | null} */
  #asking = null
  /** @type {HTMLDialogElement | null} */
  #dialog = null
  #app
  #uploads

  /** @param {App} app @param {Uploads} uploads */
  constructor(app, uploads) {
    this.#app = app
    this.#uploads = uploads
  }

  /** @param {Way} way @param {Replaced | null} [replaced] */
  open(way, replaced = null) {
    this.#replaced = replaced
    this.#choose(way)
    this.#dialog?.showModal()
    this.#focus(way === 'file' ? 'files' : 'place')
  }

  close() {
    this.#dialog?.close()
  }

  /** For one that failed: it is deleted and made anew from what is given here. @param {ImageBody} image */
  openFor(image) {
    const replaced = new Replaced(this.#app, image)
    this.open(replaced.way, replaced)
  }

  get #ways() {
    return this.#replaced ? ways.slice(0, 2) : ways
  }

  view() {
    return html`
      <dialog
        class="create"
        aria-labelledby="create-title"
        @close=${() => this.#closed()}
        ${ref((element) => this.#placed(element))}
      >
        <h2 id="create-title">${this.#replaced?.title ?? 'Add an image'}</h2>
        ${this.#replaced?.view() ?? nothing}
        ${tabs(this.#ways, this.#way, (way) => this.#turn(way))}
        <div role="tabpanel" id="create-panel" aria-labelledby="create-${this.#way}">
          ${this.#way === 'file' ? this.#files() : this.#form()}
        </div>
      </dialog>
    `
  }

  #closed() {
    this.#replaced = null
    this.#forget()
  }

  /** @param {Element | undefined} element */
  #placed(element) {
    this.#dialog = element instanceof HTMLDialogElement ? element : null
  }

  /** @param {Way} way */
  #turn(way) {
    this.#choose(way)
    this.#focus(way)
  }

  /** @param {Way} way */
  #choose(way) {
    this.#way = way
    this.#forget()
  }

  /** Secrets too: they stay nowhere. */
  #forget() {
    this.#draft = this.#replaced?.draftFor(this.#way) ?? empty
    this.#problems = new Map()
    this.#look(null)
  }

  /** What was found out was about something else. @param {AbortController | null} asking */
  #look(asking) {
    this.#asking?.abort()
    this.#asking = asking
    this.#verdict = null
    this.#problem = null
    this.#app.changed()
  }

  /** @param {Field} field @param {string} text */
  #changed = (field, text) => {
    const isExact = field === 'password' || field === 'headers' || field === 'certificates'
    const value = isExact ? text : text.trim()
    const before = suggested(this.#draft.place)
    const isOwn = this.#draft.name === before || this.#draft.name === ''
    const isSuggested = isOwn && this.#replaced === null
    const name = field === 'place' && isSuggested ? { name: suggested(value) } : {}
    this.#draft = { ...this.#draft, ...name, [field]: value }
    this.#problems = new Map([...this.#problems].filter(([one]) => one !== field))
    // Whatever it is called, it is the same.
    if (field === 'name') this.#app.changed()
    else this.#look(null)
  }

  #form() {
    const form = {
      draft: this.#draft,
      problems: this.#problems,
      isNamed: this.#replaced !== null,
      changed: this.#changed,
    }
    return html`
      <form novalidate @submit=${this.#submitted}>
        ${fields(this.#way, form)}
        <div class="verdict" role="status">${this.#told()}</div>
        <div class="buttons">
          <button type="button" @click=${() => this.close()}>Cancel</button>
          ${
            this.#asking
              ? html`<button type="button" @click=${() => this.#look(null)}>Stop</button>`
              : html`<button class="main">
                  ${this.#verdict?.accepted ? 'Import' : 'Look at it'}
                </button>`
          }
        </div>
      </form>
    `
  }

  #told() {
    if (this.#asking) return html`<p>The source is looked at…</p>`
    if (this.#problem) return refusal(this.#problem)
    if (this.#verdict) return verdict(this.#verdict)
    return html`<p class="hint">It is looked at first; nothing is imported before you say so.</p>`
  }

  #submitted = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    if (this.#asking) return
    const isTaken = (/** @type {string} */ name) =>
      this.#replaced === null && this.#app.images.get(name) !== null
    if (this.#showsProblems(problemsOf(this.#way, this.#draft, isTaken))) return
    const seen = this.#verdict
    const asking = new AbortController()
    this.#look(asking)
    try {
      await (seen?.accepted ? this.#import(asking.signal) : this.#probe(asking.signal))
    } catch (error) {
      if (asking.signal.aborted) return
      if (!(error instanceof Problem)) throw error
      this.#take(error)
    } finally {
      if (this.#asking === asking) this.#asking = null
      this.#app.changed()
      if (this.#verdict || this.#problem) this.#showVerdict()
    }
  }

  /** @param {AbortSignal} signal */
  async #probe(signal) {
    const body = { dataSource: this.#source() }
    const verdict = await this.#app.api.change('POST', 'api/v1/probe', { body, signal })
    signal.throwIfAborted()
    this.#verdict = verdict
  }

  #source() {
    return sourceOf(this.#way, this.#draft, this.#replaced?.kept)
  }

  /** On a small screen it lies below what is seen. */
  #showVerdict() {
    requestAnimationFrame(() =>
      this.#dialog?.querySelector('.verdict')?.scrollIntoView({ block: 'nearest' }),
    )
  }

  /** @param {AbortSignal} signal */
  async #import(signal) {
    await this.#replaced?.remove()
    const { name } = this.#draft
    const body = { name, dataSource: this.#source() }
    const image = await this.#app.api.change('POST', 'api/v1/images', { body, signal })
    this.#app.images.learn(image)
    this.close()
    this.#app.say(`${name} is being imported`)
    location.hash = hashOf({ view: 'image', name })
  }

  /** What the service says of fields stands at them. @param {Problem} problem */
  #take(problem) {
    const known = problem.fields.flatMap(({ path, message }) => {
      const field = fieldOf(path)
      return field === null ? [] : [/** @type {const} */ ([field, sentenceOf(message)])]
    })
    if (known.length === 0 || !this.#showsProblems(new Map(known))) this.#problem = problem
  }

  /** Shows them, and goes to the first. @param {Problems} problems @returns {boolean} whether there are any */
  #showsProblems(problems) {
    this.#problems = problems
    this.#app.changed()
    const [first] = problems.keys()
    if (first === undefined) return false
    this.#focus(first)
    return true
  }

  /** Once it is drawn. @param {string} what */
  #focus(what) {
    requestAnimationFrame(() => {
      const element = document.getElementById(`create-${what}`)
      const around = element?.closest('details')
      if (around) around.open = true
      element?.focus()
    })
  }

  #files() {
    return html`
      <p>
        Drop files anywhere on this page, or choose them here. Each becomes an image that has the
        name of its file.
      </p>
      <input
        type="file"
        multiple
        id="create-files"
        aria-label="Files to send"
        @change=${this.#chosen}
      />
      <p class="hint">
        Stay on this page until they are sent. When the connection breaks, they go on by themselves.
      </p>
      <div class="buttons">
        <button type="button" @click=${() => this.close()}>Cancel</button>
      </div>
    `
  }

  #chosen = async (/** @type {Event} */ { target }) => {
    if (!(target instanceof HTMLInputElement)) return
    const files = [...(target.files ?? [])]
    // The same one can be chosen again.
    target.value = ''
    this.close()
    await this.#uploads.take(files)
  }
}

/** The service speaks of a field by its path before it. @param {string} message */
function sentenceOf(message) {
  return /^(?:is|must|has|holds|does)\b/.test(message) ? `This ${message}` : message
}
