import { html, nothing } from 'lit-html'
import { linesOf, uploadLineOf } from '../lines.js'
import { copyButton } from './copying.js'
/** @import { App } from '../app.js' */
/** @import { ImageBody } from '../../../../image/status.ts' */
/** @import { Line } from '../lines.js' */

/** How an image is used, or how its file comes here. @param {App} app @param {ImageBody} image */
export function imageLines(app, image) {
  if (image.status.phase === 'Ready') return ready(app, image)
  const sends = uploadLineOf(image)
  if (!sends) return nothing
  return html`
    <h3>From a terminal</h3>
    <p>Or send the file from where it lies:</p>
    ${line(app, sends)}
  `
}

/** @param {App} app @param {ImageBody} image */
function ready(app, image) {
  const { hasToken, caller } = app.session
  const name = hasToken ? userOf(caller?.name ?? null) : null
  return html`
    <h3>Use it</h3>
    ${
      name === null
        ? nothing
        : html`<p>
            Put your token into the variable <code>SLIPWAY_TOKEN</code> first. No line holds the
            token itself.
          </p>`
    }
    ${linesOf(image, new URL(document.baseURI), name).map((each) => line(app, each))}
  `
}

/** Basic credentials end a name with a colon; those who have one in theirs may give any name. @param {string | null} name */
function userOf(name) {
  return name === null || name.includes(':') ? 'token' : name
}

/** @param {App} app @param {Line} line */
function line(app, { title, hint, text }) {
  return html`
    <section class="line" aria-label=${title}>
      <h4>${title}</h4>
      <p>${hint}</p>
      <pre tabindex="0" aria-label=${title}>${text}</pre>
      ${copyButton(app, `the line for ${title}`, text)}
    </section>
  `
}
