import { html, nothing } from 'lit-html'
import { hashOf } from '../place.js'
import { drawn, imageOf, laidOut, roomIn } from '../use.js'
import { size } from '../words.js'
import { styled } from './styled.js'
/** @import { StorageBody } from '../../../api/storage-schema.ts' */
/** @import { Kind, Piece } from '../use.js' */

const whole = { x: 0, y: 0, width: 100, height: 100 }
/** Width of the picture by its height, as the style has it. */
const [wide, narrow] = [2.5, 0.9]
const isNarrow = matchMedia('(max-width: 48rem)')

/** @type {readonly (readonly [Kind, string])[]} */
const kinds = [
  ['image', 'Of one image alone'],
  ['shared', 'Shared by several'],
  ['pushed', 'Of one repository alone'],
  ['arriving', 'On their way in'],
  ['unneeded', 'Not in use'],
  ['rest', 'Smaller parts'],
]
const words = new Map(kinds)

/** How full it is; nothing where nobody knows. @param {StorageBody['bytes']} bytes */
export function bar(bytes) {
  const room = roomIn(bytes)
  if (room === null) return nothing
  const [blobs, staged] = [Number(bytes.blobs), Number(bytes.staged)]
  const all = blobs + staged + room
  const part = (/** @type {Kind | 'stored'} */ kind, /** @type {number} */ some) =>
    some === 0
      ? nothing
      : html`<span class="some ${kind}" ${styled({ width: `${(100 * some) / all}%` })}></span>`
  return html`<div class="bar" aria-hidden="true">
    ${part('stored', blobs)} ${part('arriving', staged)}
  </div>`
}

/** @param {readonly Piece[]} pieces */
export function legend(pieces) {
  const shown = kinds.filter(([kind]) => drawn(pieces).some((piece) => piece.kind === kind))
  return html`<ul class="legend" aria-hidden="true">
    ${shown.map(([kind, text]) => html`<li class="tile-${kind}">${text}</li>`)}
  </ul>`
}

/** Each area is as large as its bytes. The table says the same to those who do not see it. @param {readonly Piece[]} pieces */
export function treemap(pieces) {
  if (pieces.length === 0) return html`<p>Nothing is stored yet.</p>`
  const tiles = laidOut(drawn(pieces), whole, isNarrow.matches ? narrow : wide)
  return html`<div class="picture" aria-hidden="true">
    ${tiles.map(({ item, ...place }) => tile(item, place))}
  </div>`
}

/** @param {Piece} piece @param {{ x: number, y: number, width: number, height: number }} place */
function tile(piece, { x, y, width, height }) {
  const { kind, title, bytes } = piece
  const place = { left: `${x}%`, top: `${y}%`, width: `${width}%`, height: `${height}%` }
  const [first] = piece.repositories
  const text = html`<b>${title}</b> <i>${size(bytes)}</i>`
  const told = `${title}: ${size(bytes)}. ${words.get(kind) ?? ''}`
  // The table has the same link for the keyboard.
  return first === undefined
    ? html`<span class="tile tile-${kind}" ${styled(place)} title=${told}>${text}</span>`
    : html`<a
        class="tile tile-${kind}"
        ${styled(place)}
        title=${told}
        tabindex="-1"
        href=${leading(first)}
        >${text}</a
      >`
}

/** @param {readonly Piece[]} pieces @param {number} all of which these are the largest */
export function table(pieces, all) {
  if (pieces.length === 0) return nothing
  return html`
    <table>
      <caption>
        The largest first${pieces.length < all ? `: ${pieces.length} of ${all}` : ''}
      </caption>
      <thead>
        <tr>
          <th scope="col">What</th>
          <th scope="col">Kind</th>
          <th scope="col" class="number">Size</th>
        </tr>
      </thead>
      <tbody>
        ${pieces.map((piece) => row(piece))}
      </tbody>
    </table>
  `
}

/** @param {Piece} piece */
function row(piece) {
  const { kind, bytes, holders } = piece
  const told = kind === 'shared' ? `Shared by ${holders}` : words.get(kind)
  return html`<tr>
    <th scope="row">${names(piece)}</th>
    <td><span class="key tile-${kind}" aria-hidden="true"></span> ${told}</td>
    <td class="number">${size(bytes)}</td>
  </tr>`
}

/** @param {Piece} piece */
function names({ title, repositories, holders }) {
  if (repositories.length === 0) return title
  const more = holders - repositories.length
  const links = repositories.map(
    (name, at) =>
      html`${at > 0 ? ', ' : nothing}<a href=${leading(name)}>${imageOf(name) ?? name}</a>`,
  )
  return html`${links}${more > 0 ? ` and ${more} more` : nothing}`
}

/** @param {string} repository */
function leading(repository) {
  const image = imageOf(repository)
  return image === null
    ? hashOf({ view: 'repository', name: repository })
    : hashOf({ view: 'image', name: image })
}
