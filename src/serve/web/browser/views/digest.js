import { html, nothing } from 'lit-html'
import { annotationWords } from '../artifact-words.js'
/** @import { App } from '../app.js' */

/** A digest, whole for those who copy it. @param {App} app @param {string} digest */
export function digestOf(app, digest) {
  return html`<p class="digest">
    <code title=${digest}>${digest}</code>
    <button class="small" aria-label="Copy ${digest}" @click=${() => copy(app, digest)}>
      Copy
    </button>
  </p>`
}

/** @param {App} app @param {string} digest */
async function copy(app, digest) {
  try {
    await navigator.clipboard.writeText(digest)
    app.say('The digest is in the clipboard')
  } catch {
    // Browsers give the clipboard to pages over HTTPS and on loopback alone, and may be told not to.
    app.say('The browser does not let this page copy; select the digest and copy it yourself')
  }
}

/** @param {Readonly<Record<string, string>>} annotations */
export function annotationsOf(annotations) {
  const entries = Object.entries(annotations)
  if (entries.length === 0) return nothing
  return html`<dl class="facts">
    ${entries.map(
      ([name, value]) =>
        html`<div>
          <dt title=${name}>${annotationWords(name)}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`
}
