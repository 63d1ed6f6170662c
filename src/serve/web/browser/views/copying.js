import { html } from 'lit-html'
/** @import { App } from '../app.js' */

/** A button that puts a text into the clipboard. @param {App} app @param {string} what such as `the digest` @param {string} text */
export function copyButton(app, what, text) {
  return html`<button
    type="button"
    class="copy"
    @click=${() => copy(app, what, text)}
    aria-label="Copy ${what}"
  >
    Copy
  </button>`
}

/** @param {App} app @param {string} what @param {string} text */
async function copy(app, what, text) {
  try {
    await navigator.clipboard.writeText(text)
    app.say(`Copied: ${what}`)
  } catch {
    // Browsers give the clipboard to pages over HTTPS and on loopback alone, and may be told not to.
    app.say('The browser does not let this page copy. Select the text and copy it yourself.')
  }
}
