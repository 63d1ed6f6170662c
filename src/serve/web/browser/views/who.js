import { html, nothing } from 'lit-html'
import { sentence } from '../words.js'
/** @import { App } from '../app.js' */

/** Who is signed in, and how to be somebody else. @param {App} app @param {() => void} signIn opens what asks for a token */
export function who(app, signIn) {
  const { session, asksForToken } = app
  if (asksForToken)
    return session.caller ? html`<button @click=${signIn}>Sign in</button>` : nothing
  if (!session.hasToken) return nothing
  return html`
    <p class="who">
      ${session.caller ? html`<strong>${session.caller.name}</strong> ${rights(app)}` : nothing}
      <button class="quiet" @click=${() => app.signOut()}>Sign out</button>
    </p>
  `
}

/** @param {App} app */
function rights({ session }) {
  if (session.may('maintain')) return 'may do everything'
  return session.may('write') ? 'may add and delete' : 'may look'
}

/** What is the matter with the page as a whole. @param {App} app */
export function banner({ isOutdated, asksForToken, images }) {
  if (isOutdated) {
    return html`<p class="banner" role="alert">
      The service has a newer page than this one. Files that are being sent here go on when you drop
      them again.
      <button @click=${() => location.reload()}>Load the page anew</button>
    </p>`
  }
  if (asksForToken || images.trouble === null) return nothing
  return html`<p class="banner" role="alert">${sentence(images.trouble)}</p>`
}
