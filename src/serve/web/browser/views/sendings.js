import { html, nothing } from 'lit-html'
import { hashOf } from '../place.js'
import { size, span } from '../words.js'
/** @import { App } from '../app.js' */
/** @import { ImageBody } from '../../../../image/status.ts' */
/** @import { Sending } from '../sending.js' */
/** @import { Uploads } from '../uploads.js' */

/** Files that this page sends. @param {App} app @param {Uploads} uploads */
export function sendings(app, uploads) {
  const all = uploads.all()
  if (all.length === 0) return nothing
  return html`
    <section class="sendings" aria-label="Uploads of this page">
      ${all.map((sending) => one(app, uploads, sending))}
    </section>
  `
}

/** @param {App} app @param {Uploads} uploads @param {Sending} sending */
function one(app, uploads, sending) {
  const { name, file, sent } = sending
  return html`
    <div class="sending">
      <a href=${hashOf({ view: 'image', name })}>${name}</a>
      <progress aria-label="Sent of ${name}" max=${file.size} value=${sent}></progress>
      <span>${words(app, sending)}</span>
      <div class="buttons">${buttons(uploads, sending)}</div>
    </div>
  `
}

/** @param {Uploads} uploads @param {Sending} sending */
function buttons(uploads, { name, state, isUnderWay }) {
  if (!isUnderWay) return button('Hide', name, () => uploads.hide(name))
  return html`
    ${
      state === 'paused'
        ? button('Go on with', name, () => uploads.goOn(name))
        : button('Pause', name, () => uploads.pause(name))
    }
    ${button('Stop', name, () => void uploads.stop(name))}
  `
}

/** @param {string} text @param {string} name @param {() => void} press */
function button(text, name, press) {
  return html`<button @click=${press} aria-label="${text} ${name}">
    ${text.replace(' with', '')}
  </button>`
}

/** @param {App} app @param {Sending} sending */
function words(app, sending) {
  const { name, file, sent, speed, state, message } = sending
  const found = app.images.get(name)
  // Another one may have its name by now.
  const image = found?.uid === sending.uid ? found : null
  const there = `${size(sent)} of ${size(file.size)}`
  if (image?.status.phase === 'Failed')
    return html`<span class="bad">Refused: ${reason(image)}</span>`
  if (state === 'refused') return html`<span class="bad">Ended: ${message}</span>`
  if (state === 'waiting') return 'Waits for its turn'
  if (state === 'paused') return `Paused at ${there}`
  if (state === 'away')
    return html`<span class="warning">${there}. It goes on by itself when it can: ${message}</span>`
  if (state === 'sent') return arrived(image?.status, sending)
  const left = speed > 0 ? `, ${size(speed)}/s, ${span((file.size - sent) / speed)} left` : ''
  return `${there}${left}`
}

/** @param {ImageBody} image */
function reason({ status }) {
  return status.conditions.find(({ type }) => type === 'Ready')?.message ?? ''
}

/** @param {ImageBody['status'] | undefined} status @param {Sending} sending */
function arrived(status, { sha256, message }) {
  const stored = status?.source?.sha256
  if (status === undefined) return 'Was sent; the image is there no more'
  if (status.phase !== 'Ready') return 'Is there, and is being stored'
  if (message !== '') return `Is Ready, but could not be compared: ${message}`
  if (sha256 === null || stored === undefined)
    return 'Is Ready; its checksum is still being worked out'
  return sha256 === stored
    ? html`<span class="good">Is Ready, and byte for byte your file</span>`
    : html`<span class="bad"
        >Is Ready, but is not your file: its SHA-256 differs. Delete it, and send the file
        again.</span
      >`
}
