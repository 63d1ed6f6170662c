import { html, nothing } from 'lit-html'
import { titleOf } from '../arriving.js'
import { banner, who } from './who.js'
/** @import { App } from '../app.js' */
/** @import { TemplateResult } from 'lit-html' */

const icon = new URL('../icon.svg', import.meta.url).href

/**
 * What surrounds every view.
 * @param {App} app @param {TemplateResult} contents
 * @param {() => void} signIn opens what asks for a token
 */
export function shell(app, contents, signIn) {
  return html`
    <a class="skip" href="#main" @click=${toContents}>To the contents</a>
    <header>
      <h1>
        <a href="#/images"><img src=${icon} alt="" width="28" height="28" />Slipway</a>
      </h1>
      <nav aria-label="Main">
        ${entry(app, 'images', 'Images')} ${entry(app, 'storage', 'Storage')}
        ${entry(app, 'repositories', 'Repositories')}
      </nav>
      ${who(app, signIn)}
    </header>
    ${banner(app)}
    <main id="main" tabindex="-1" aria-label=${titleOf(app.place)}>${contents}</main>
    ${notice(app)}
    <footer>
      <span>Slipway ${document.body.dataset['version']}</span>
      <a href="docs">The API</a>
    </footer>
  `
}

/** Its place for what is said stays: a screen reader hears only what changes there. @param {App} app */
function notice(app) {
  return html`
    <div class=${app.notice === '' ? 'unseen' : 'notice'}>
      <p role="status">${app.notice}</p>
      ${
        app.notice === ''
          ? nothing
          : html`<button class="quiet" aria-label="Dismiss" @click=${() => app.say('')}>✕</button>`
      }
    </div>
  `
}

/** @param {App} app @param {'images' | 'storage' | 'repositories'} view @param {string} text */
function entry({ place }, view, text) {
  const isHere =
    place.view === view ||
    `${place.view}s` === view ||
    (view === 'repositories' && place.view === 'repository')
  return html`<a href="#/${view}" aria-current=${isHere ? 'page' : nothing}>${text}</a>`
}

/** The part of the address behind `#` says where one is, so the link itself leads nowhere. @param {Event} event */
function toContents(event) {
  event.preventDefault()
  document.querySelector('main')?.focus()
}
