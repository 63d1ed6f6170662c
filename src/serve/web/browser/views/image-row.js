import { html, nothing } from 'lit-html'
import { ifDefined } from 'lit-html/directives/if-defined.js'
import { hashOf } from '../place.js'
import { age, movement, percent, phaseOf, size, trouble } from '../words.js'
import { styled } from './styled.js'
/** @import { ImageBody } from '../../../../image/status.ts' */

/** One line of the list. @param {ImageBody} image @param {number} index from 0 @param {number} height in pixels */
export function imageRow(image, index, height) {
  const { name, status, createdAt } = image
  return html`
    <div
      role="row"
      class="row"
      data-name=${name}
      aria-rowindex=${index + 2}
      ${styled({ transform: `translateY(${index * height}px)` })}
    >
      <span role="cell" class="name"><a href=${hashOf({ view: 'image', name })}>${name}</a></span>
      <span role="cell" class="state">${phase(image)}</span>
      <span role="cell">${status.format ?? '–'}</span>
      <span role="cell">${size(status.size?.unpackedBytes)}</span>
      <span role="cell">${size(status.size?.storedBytes)}</span>
      <span role="cell"><time datetime=${createdAt}>${age(createdAt, Date.now())}</time></span>
    </div>
  `
}

/** The phase, how far it has come, and what is the matter. @param {ImageBody} image */
export function phase(image) {
  const { phase, nextRetryAt } = image.status
  const { text, tone } = phaseOf(image.status)
  const told = trouble(image)
  return html`
    <span class="phase ${tone}" title=${ifDefined(told === '' ? undefined : told)}>${text}</span>
    ${phase === 'Provisioning' && nextRetryAt === undefined ? progress(image) : nothing}
  `
}

/** @param {ImageBody} image */
function progress({ name, status }) {
  const value = percent(status)
  return html`
    <progress
      aria-label="Progress of ${name}"
      max="100"
      value=${ifDefined(value ?? undefined)}
    ></progress>
    <span class="movement">${movement(status)}</span>
  `
}
