import { html, nothing } from 'lit-html'
import { annotationWords } from '../artifact-words.js'
import { copyButton } from './copying.js'
/** @import { App } from '../app.js' */

/** A digest, whole for those who copy it. @param {App} app @param {string} digest */
export function digestOf(app, digest) {
  return html`<p class="digest">
    <code title=${digest}>${digest}</code>
    ${copyButton(app, digest, digest)}
  </p>`
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
