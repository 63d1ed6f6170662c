import { html, nothing } from 'lit-html'
import { hashOf } from '../place.js'
import { size, span } from '../words.js'
/** @import { App } from '../app.js' */
/** @import { Uploads, Sending } from '../uploads.js' */

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
  const { name, file, sent, state } = sending
  return html`
    <div class="sending">
      <a href=${hashOf({ view: 'image', name })}>${name}</a>
      <progress aria-label="Sent of ${name}" max=${file.size} value=${sent}></progress>
      <span>${words(app, sending)}</span>
      <button
        @click=${() => uploads.giveUp(name)}
        aria-label="${state === 'sent' ? 'Hide' : 'Stop'} ${name}"
      >
        ${state === 'sent' ? 'Hide' : 'Stop'}
      </button>
    </div>
  `
}

/** @param {App} app @param {Sending} sending */
function words(app, { name, file, sent, speed, state, sha256, message }) {
  const image = app.images.get(name)
  if (state === 'waiting') return 'waits for its turn'
  if (state === 'broken') return `broke off: ${message}. Drop the file again to go on.`
  if (image?.status.phase === 'Failed') return 'was refused; see why'
  if (state === 'sent' && image?.status.phase === 'Ready')
    return checked(image.status.source?.sha256, sha256)
  if (state === 'sent') return 'is here, and is being stored'
  const left = speed > 0 ? `, ${span((file.size - sent) / speed)} left` : ''
  return `${size(sent)} of ${size(file.size)}, ${size(speed)}/s${left}`
}

/** @param {string | undefined} stored @param {string | null} own */
function checked(stored, own) {
  if (own === null || stored === undefined)
    return 'is Ready; its checksum is still being worked out'
  return own === stored
    ? 'is Ready, and byte for byte your file'
    : 'is Ready, but is not your file: its SHA-256 differs'
}
