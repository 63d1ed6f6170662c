import { html, nothing } from 'lit-html'
import { factsOf } from '../details.js'
import { hashOf } from '../place.js'
import { age, formatWords, size } from '../words.js'
import { copyButton } from './copying.js'
/** @import { App } from '../app.js' */
/** @import { ImageBody } from '../../../../image/status.ts' */

/** What is known of an image. @param {App} app @param {ImageBody} image */
export function imageFacts(app, { createdAt, dataSource, status }) {
  const { format, size: sizes, allocatedBytes, bootable, architecture, target, source } = status
  return html`
    <dl class="facts">
      ${fact('From', origin(dataSource))} ${fact('Created', moment(createdAt))}
      ${fact('Format', format && formatWords[format])}
      ${fact('Size of the disk', sizes && bytes(sizes.unpackedBytes))}
      ${fact('Of it in use', allocatedBytes && size(allocatedBytes))}
      ${fact('Takes in the storage', sizes && bytes(sizes.storedBytes))}
      ${fact('Starts a machine', bootable)} ${fact('Made for', architecture)}
      ${fact('Digest', target.digest && code(app, 'the digest', target.digest))}
      ${fact('SHA-256 of the file', source && code(app, 'the SHA-256 of the file', source.sha256))}
      ${fact('Platform', source?.platform)}
      ${factsOf(status.details).map(([title, text]) => fact(title, text))}
    </dl>
  `
}

/** @param {string} title @param {unknown} value left out for nothing */
function fact(title, value) {
  return value === undefined || value === ''
    ? nothing
    : html`<div>
        <dt>${title}</dt>
        <dd>${value}</dd>
      </div>`
}

/** @param {ImageBody['dataSource']} source */
function origin({ http, containerImage, objectRef }) {
  if (http) return http.url
  if (containerImage) return `${containerImage.image} (container image)`
  if (!objectRef) return 'An upload'
  const { name } = objectRef
  return html`The image <a href=${hashOf({ view: 'image', name })}>${name}</a>`
}

/** @param {string} count */
function bytes(count) {
  const exact = Number(count) < 1024 ? '' : ` (${Number(count).toLocaleString('en')} bytes)`
  return `${size(count)}${exact}`
}

/** @param {string} time */
export function moment(time) {
  return html`<time datetime=${time}>
    ${new Date(time).toLocaleString()} (${age(time, Date.now())})
  </time>`
}

/** @param {App} app @param {string} what @param {string} text */
function code(app, what, text) {
  return html`<span class="digest"
    ><code title=${text}>${text}</code> ${copyButton(app, what, text)}</span
  >`
}
