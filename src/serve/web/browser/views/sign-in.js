import { html, nothing } from 'lit-html'
import { ref } from 'lit-html/directives/ref.js'
import { Problem } from '../api.js'
/** @import { App } from '../app.js' */

/** What a header may carry (RFC 6750, "b64token", and what others issue): no spaces, no letters beyond ASCII. */
const sendable = /^[\x21-\x7e]+$/

/**
 * Asks for a token, where the service has callers. Before anybody has signed in it is all there is; when a token has run out
 * it lies above what somebody was doing, which stays as it is.
 */
export class SignIn {
  #app
  #problem = ''
  #isBusy = false
  /** @type {HTMLDialogElement | null} */
  #dialog = null

  /** @param {App} app */
  constructor(app) {
    this.#app = app
  }

  /** Whether there is something to go back to. */
  get isAbove() {
    return this.#app.asksForToken && this.#app.session.caller !== null
  }

  view() {
    if (!this.isAbove) return this.#form()
    return html`<dialog aria-labelledby="sign-in-title" ${ref(this.#placed)}>
      ${this.#form()}
    </dialog>`
  }

  /** It can be closed to look at what lies below. */
  open() {
    if (this.#dialog?.isConnected && !this.#dialog.open) this.#dialog.showModal()
  }

  #placed = (/** @type {Element | undefined} */ element) => {
    // So that the focus goes back to where it was.
    if (!element) this.#dialog?.close()
    this.#dialog = element instanceof HTMLDialogElement ? element : null
    queueMicrotask(() => this.open())
  }

  #form() {
    const { refusal } = this.#app
    const problem = this.#problem === '' ? refusal : this.#problem
    return html`
      <form
        class=${this.isAbove ? '' : 'sign-in'}
        @submit=${(/** @type {SubmitEvent} */ event) => this.#submit(event)}
      >
        <h2 id="sign-in-title">Sign in</h2>
        <p>
          ${
            this.isAbove
              ? 'What you were doing stays as it is, and files that are being sent go on.'
              : 'This service knows its callers. Whoever runs it has a token for you.'
          }
        </p>
        <label>
          Token
          <input
            name="token"
            type="password"
            autocomplete="current-password"
            required
            aria-describedby="sign-in-problem"
            aria-invalid=${this.#problem !== ''}
          />
        </label>
        <p id="sign-in-problem" class="bad" role="alert">${problem === '' ? nothing : problem}</p>
        <p class="hint">It is kept in this tab alone, and forgotten with it.</p>
        <div class="buttons">
          <button class="main" ?disabled=${this.#isBusy}>Sign in</button>
        </div>
      </form>
    `
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault()
    if (!(event.target instanceof HTMLFormElement)) return
    const form = event.target
    const token = new FormData(form).get('token')
    if (typeof token !== 'string') return
    this.#isBusy = true
    this.#problem = await this.#tried(token.trim())
    this.#isBusy = false
    if (this.#problem === '') form.reset()
    else form.querySelector('input')?.select()
    this.#app.changed()
  }

  /** @param {string} token @returns {Promise<string>} why not, empty when it was taken */
  async #tried(token) {
    if (!sendable.test(token))
      return 'That is no token: it has spaces or letters with accents. Paste it anew.'
    try {
      await this.#app.signIn(token)
      return ''
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      if (error.status === 401)
        return 'The service does not know this token. Is it whole, and is it for this service?'
      return error.sentence
    }
  }
}
