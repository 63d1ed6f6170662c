import { html } from 'lit-html'
import { size } from '../words.js'
/** @import { ProbeBody } from '../../../api/schema.ts' */

/** What a source would be taken for, or why it would be refused. @param {ProbeBody} probed */
export function verdict({
  accepted,
  refusal,
  complete,
  format,
  size: sizes,
  wrapping,
  cdrom,
  bootable,
  ranges,
}) {
  if (!accepted) return html`<p class="bad">It would be refused: ${refusal?.detail}</p>`
  const facts = [
    `${cdrom ? 'An ISO' : 'A disk'}${format === undefined ? '' : ` in the format ${format}`}`,
    ...(wrapping.length === 0 ? [] : [`inside ${wrapping.join(', ')}`]),
    ...(sizes.unpackedBytes === undefined ? [] : [`${size(sizes.unpackedBytes)} for the guest`]),
    ...(sizes.sourceBytes === undefined ? [] : [`${size(sizes.sourceBytes)} to fetch`]),
    ...(bootable === undefined ? [] : [`bootable: ${bootable}`]),
  ]
  const warnings = [
    ...(complete ? [] : ['Its end could not be seen yet, so it may still be refused.']),
    ...(ranges === false ? ['The source gives no parts: what breaks off begins anew.'] : []),
  ]
  return html`
    <p class="good">It would be taken.</p>
    <p>${facts.join(', ')}.</p>
    ${warnings.map((text) => html`<p class="warning">${text}</p>`)}
  `
}
