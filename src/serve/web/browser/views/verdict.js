import { html, nothing } from 'lit-html'
import { sentence, size } from '../words.js'
/** @import { Problem } from '../api.js' */
/** @import { ProbeBody } from '../../../api/schema.ts' */

/** What a source would be taken for, or why it would be refused. @param {ProbeBody} probed */
export function verdict(probed) {
  const { accepted, refusal } = probed
  if (!accepted) return refused(refusal?.detail ?? '', refusal?.code ?? '')
  return html`
    <p class="good">This would be taken.</p>
    <dl class="facts">
      ${facts(probed).map(
        ([title, value]) =>
          html`<div>
            <dt>${title}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
    ${warnings(probed).map((text) => html`<p class="warning">${text}</p>`)}
  `
}

/** Why it could not even be looked at. @param {Problem} problem */
export function refusal({ message, code }) {
  return refused(message, code)
}

/** @param {string} why @param {string} code */
function refused(why, code) {
  const advice = advices.get(code)
  return html`<p class="bad">${sentence(`This cannot be imported: ${why}`)}</p>
    ${advice === undefined ? nothing : html`<p>${advice}</p>`}`
}

/** What to do about a refusal, where its own words do not say it. @type {ReadonlyMap<string, string>} */
const advices = new Map([
  [
    'SOURCE_UNAVAILABLE',
    'Open the URL from another machine: if it works there, the network of the service is in the way.',
  ],
  [
    'SOURCE_REFUSED',
    'If it asks for a sign-in, give a user name and a password, or a token, under "More".',
  ],
])

/** @param {ProbeBody} probed @returns {readonly (readonly [string, string])[]} */
function facts({ cdrom, format, wrapping, size: sizes, bootable, architecture, image }) {
  const kind = cdrom === undefined ? 'Unknown yet' : cdrom ? 'ISO' : 'Disk'
  /** @type {readonly (readonly [string, string | undefined])[]} */
  const all = [
    ['What it is', format === undefined || cdrom ? kind : `${kind}, ${format}`],
    ['Packed as', wrapping.length === 0 ? undefined : wrapping.join(', ')],
    ['File in the image', image?.file],
    ['Size of the disk', told(sizes.unpackedBytes)],
    ['To fetch', told(sizes.sourceBytes)],
    ['Bootable', bootable],
    ['Architecture', architecture],
  ]
  return all.flatMap(([title, value]) => (value === undefined ? [] : [[title, value]]))
}

/** @param {string | undefined} bytes */
function told(bytes) {
  return bytes === undefined ? undefined : size(bytes)
}

/** @param {ProbeBody} probed */
function warnings({ complete, wrapping, ranges, revalidation, source }) {
  const isHttp = source.url !== undefined
  return [
    ...(complete ? [] : [seenInPart(wrapping)]),
    ...(ranges === false
      ? ['The source gives no parts of the file: an import that breaks off begins anew.']
      : []),
    ...(isHttp && revalidation === 'none'
      ? ['The source does not tell when the file changes.']
      : []),
  ]
}

/** @param {readonly string[]} wrapping */
function seenInPart(wrapping) {
  return wrapping.length === 0
    ? 'The end of it could not be seen, so it may still be refused.'
    : 'It is packed, so only its beginning could be seen; it may still be refused.'
}
