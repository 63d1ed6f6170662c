import { html, nothing } from 'lit-html'
import { size } from '../words.js'
/** @import { App } from '../app.js' */
/** @import { Uploads } from '../uploads.js' */
/** @import { ImageBody } from '../../../../image/status.ts' */

/** What an image waits for that is to be uploaded, or the rest of it. @param {App} app @param {Uploads} uploads @param {string} name */
export function waiting(app, uploads, name) {
  const image = app.images.get(name)
  if (!image || !app.session.may('write')) return nothing
  const { upload, uploadCommand } = image.status
  if ((!upload && !uploadCommand) || uploads.of(name)?.isUnderWay) return nothing
  return html`
    <section class="waiting" aria-labelledby="waiting-title">
      <h3 id="waiting-title">
        ${upload ? 'The rest of its file is missing' : 'It waits for its file'}
      </h3>
      <p>${upload ? brokenOff(upload) : 'Choose the file here, or drop it on this page.'}</p>
      <label class="file">
        ${upload ? 'Choose the file again' : 'Choose the file'}
        <input
          type="file"
          @change=${(/** @type {Event} */ event) => bring(uploads, image, event)}
        />
      </label>
    </section>
  `
}

/** @param {NonNullable<ImageBody['status']['upload']>} upload */
function brokenOff({ offset, length, expiresAt }) {
  const there = `${size(offset)}${length === undefined ? '' : ` of ${size(length)}`} are here.`
  const until =
    expiresAt === undefined
      ? ''
      : ` What is here is kept until ${new Date(expiresAt).toLocaleTimeString()}.`
  return `${there} Choose the same file again, and only the rest is sent.${until}`
}

/** @param {Uploads} uploads @param {ImageBody} image @param {Event} event */
async function bring(uploads, image, { target }) {
  if (!(target instanceof HTMLInputElement)) return
  const [file] = target.files ?? []
  target.value = ''
  if (file) await uploads.bring(image, file)
}
