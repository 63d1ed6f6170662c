import { html, nothing } from 'lit-html'
import { Problem } from '../api.js'
/** @import { App } from '../app.js' */

/** Asks for a token, where the service has callers. */
export class SignIn {
  #app
  #problem = ''

  /** @param {App} app */
  constructor(app) {
    this.#app = app
  }

  view() {
    return html`
      <form class="sign-in" @submit=${(/** @type {SubmitEvent} */ event) => this.#submit(event)}>
        <h2>Sign in</h2>
        <p>This service knows its callers. Whoever runs it has a token for you.</p>
        <label>
          Token
          <input
            name="token"
            type="password"
            autocomplete="current-password"
            required
            aria-describedby="sign-in-problem"
          />
        </label>
        <p id="sign-in-problem" role="alert">${this.#problem === '' ? nothing : this.#problem}</p>
        <button class="main">Sign in</button>
      </form>
    `
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault()
    if (!(event.target instanceof HTMLFormElement)) return
    const token = new FormData(event.target).get('token')
    if (typeof token !== 'string') return
    try {
      await this.#app.signIn(token.trim())
      this.#problem = ''
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      this.#problem = error.message
    }
    this.#app.changed()
  }
}
