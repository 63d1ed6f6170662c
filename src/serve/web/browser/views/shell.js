import { html, nothing } from 'lit-html'
/** @import { App } from '../app.js' */

/** What surrounds every view. @param {App} app */
export function shell(app) {
  return html`
    <a class="skip" href="#main">To the contents</a>
    <header>
      <h1><a href="#/images">Slipway</a></h1>
      <nav aria-label="Main">
        <a href="#/images">Images</a>
        <a href="#/storage">Storage</a>
        <a href="#/repositories">Repositories</a>
      </nav>
      ${app.session.hasToken ? html`<button @click=${() => app.signOut()}>Sign out</button>` : nothing}
    </header>
    <main id="main" tabindex="-1">
      <p>${app.images.size} images</p>
    </main>
    <p class="notice" role="status" aria-live="polite">${app.notice}</p>
  `
}
