import { html } from 'lit-html'
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
/** @import { ImageBody } from '../../../../image/status.ts' */
/** @import { ProbeBody } from '../../../api/schema.ts' */

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
  /** @type {Draft} */
  #draft = empty
  /** @type {Problems} */
  #problems = new Map()
  /** @type {ProbeBody | null} */
  #verdict = null
  /** Of the whole, not of a field. @type {Problem | null} */
  #problem = null
  /** What is asked of the service at present. @type {AbortController | null} */
  #asking = null
  /** @type {Replaced | null} */
  #replaced = null
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

  /** For one that failed: it is deleted and made anew from what is given here. @param {ImageBody} image */
  openFor(image) {
    const replaced = new Replaced(this.#app, image)
    this.open(replaced.way, replaced)
    // What made it fail may well stand there.
    for (const more of this.#dialog?.querySelectorAll('details') ?? []) more.open = true
  }

  close() {
    this.#dialog?.close()
  }

  view() {
    return html`
      <dialog
        class="create"
        aria-labelledby="create-title"
        @close=${() => this.#forget()}
        ${ref((element) => this.#placed(element))}
      >
        <h2 id="create-title">${this.#replaced?.title ?? 'Add an image'}</h2>
        ${this.#replaced?.view()} ${this.#tabs()}
        <div role="tabpanel" id="create-panel" aria-labelledby="create-${this.#way}">
          ${this.#way === 'file' ? this.#files() : this.#form()}
        </div>
      </dialog>
    `
  }

  #tabs() {
    return tabs('create', {
      label: 'Where it comes from',
      all: this.#replaced ? ways.slice(0, 2) : ways,
      chosen: this.#way,
      choose: (way) => this.#choose(way),
    })
  }

  /** @param {Element | undefined} element */
  #placed(element) {
    this.#dialog = element instanceof HTMLDialogElement ? element : null
  }

  /** @param {Way} way */
  #choose(way) {
    this.#way = way
    this.#forget()
  }

  /** Secrets too: they stay nowhere. */
  #forget() {
    const { name = '', way, draft = empty } = this.#replaced ?? {}
    this.#draft = way === this.#way ? draft : { ...empty, name }
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
    const isSuggested = !this.#replaced && (this.#draft.name === before || this.#draft.name === '')
    const name = field === 'place' && isSuggested ? { name: suggested(value) } : {}
    this.#draft = { ...this.#draft, ...name, [field]: value }
    this.#problems = new Map([...this.#problems].filter(([one]) => one !== field))
    // Whatever it is called, it is the same.
    if (field === 'name') this.#app.changed()
    else this.#look(null)
  }

  /** Under the name of the failed one alone it comes in its place. @returns {Field | null} */
  get #fixed() {
    return this.#replaced ? 'name' : null
  }

  #form() {
    const form = {
      draft: this.#draft,
      problems: this.#problems,
      changed: this.#changed,
      fixed: this.#fixed,
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
      this.#replaced?.name !== name && this.#app.images.get(name) !== null
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
    /** @type {ProbeBody} */
    const verdict = await this.#app.api.change('POST', 'api/v1/probe', { body, signal })
    signal.throwIfAborted()
    this.#verdict = verdict
  }

  /** On a small screen it lies below what is seen. */
  #showVerdict() {
    requestAnimationFrame(() =>
      this.#dialog?.querySelector('.verdict')?.scrollIntoView({ block: 'nearest' }),
    )
  }

  /** @param {AbortSignal} signal */
  async #import(signal) {
    const { name } = this.#draft
    const body = { name, dataSource: this.#source() }
    const make = () => this.#app.api.change('POST', 'api/v1/images', { body, signal })
    const image = await (this.#replaced?.instead(make) ?? make())
    this.#app.images.learn(image)
    this.close()
    this.#app.say(`${name} is being imported`)
    location.hash = hashOf({ view: 'image', name })
  }

  #source() {
    return sourceOf(this.#way, this.#draft, this.#replaced?.kept)
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
