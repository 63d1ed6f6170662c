import { html, nothing } from 'lit-html'
import { remedyOf } from '../remedies.js'
import { trouble, until } from '../words.js'
/** @import { App } from '../app.js' */
/** @import { ImageBody } from '../../../../image/status.ts' */

/** Where something changes each second. */
const second = 1000

/** What is the matter with an image, and what to do. @param {App} app @param {ImageBody} image */
export function troubleBox(app, image) {
  const text = trouble(image)
  if (text === '') return nothing
  const remedy = remedyOf(image)
  return html`<section
    class="trouble ${remedy ? '' : 'calm'}"
    aria-label=${remedy ? 'What is the matter' : 'What it waits for'}
  >
    <p>${text}</p>
    ${remedy ? html`<p>${remedy.text}</p>` : nothing} ${next(app, image)}
  </section>`
}

/** @param {App} app @param {ImageBody} image */
function next(app, { status: { nextRetryAt, retries } }) {
  if (nextRetryAt === undefined) return nothing
  app.changesIn(second)
  const before =
    retries === undefined ? '' : `, after ${retries} ${retries === 1 ? 'try' : 'tries'}`
  return html`<p>
    The next try begins
    <time datetime=${nextRetryAt}>${until(nextRetryAt, Date.now())}</time>${before}.
  </p>`
}
