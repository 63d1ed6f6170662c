import { html, nothing } from 'lit-html'
import { Problem } from '../api.js'
import { hashOf } from '../place.js'
import { laidOut, piecesOf } from '../use.js'
import { size } from '../words.js'
import { styled } from './styled.js'
/** @import { App } from '../app.js' */
/** @import { Piece } from '../use.js' */

/** Width of the picture by its height. */
const aspect = 2
const whole = { x: 0, y: 0, width: 100, height: 100 }

/** What takes how much, as a picture and in words. */
export class Storage {
  /** What `GET /api/v1/storage` answers. @type {any} */
  #figures = null
  #problem = ''
  #app

  /** @param {App} app */
  constructor(app) {
    this.#app = app
  }

  /** Whenever somebody comes here. */
  async look() {
    try {
      this.#figures = await this.#app.api.read('api/v1/storage')
      this.#problem = ''
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      this.#problem = error.message
    }
    this.#app.changed()
  }

  view() {
    if (this.#problem !== '')
      return html`<h2>Storage</h2>
        <p class="bad">${this.#problem}</p>`
    if (this.#figures === null)
      return html`<h2>Storage</h2>
        <p role="status">It is being read…</p>`
    const { blobBytes, logicalBytes, stagedBytes, freeBytes } = numbersIn(this.#figures)
    const pieces = piecesOf(this.#app.images.all(), { blobBytes, stagedBytes, freeBytes })
    return html`
      <h2>Storage</h2>
      <p>
        ${size(blobBytes)} are stored${freeBytes === null ? '' : `, ${size(freeBytes)} are free`}.
        ${logicalBytes > blobBytes ? `Sharing saves ${size(logicalBytes - blobBytes)}.` : nothing}
      </p>
      <div class="picture" aria-hidden="true">
        ${laidOut(pieces, whole, aspect).map(({ item, ...place }) => tile(item, place))}
      </div>
      <table>
        <caption class="unseen">
          What takes how much
        </caption>
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">Bytes</th>
            <th scope="col">Shared by</th>
          </tr>
        </thead>
        <tbody>
          ${pieces.map((piece) => row(piece))}
        </tbody>
      </table>
    `
  }
}

/** @param {any} figures */
function numbersIn({ blobBytes, logicalBytes, stagedBytes, freeBytes }) {
  return {
    blobBytes: Number(blobBytes),
    logicalBytes: Number(logicalBytes),
    stagedBytes: Number(stagedBytes),
    freeBytes: freeBytes === undefined || freeBytes === null ? null : Number(freeBytes),
  }
}

/** @param {Piece} piece @param {{ x: number, y: number, width: number, height: number }} place */
function tile({ title, kind, bytes }, { x, y, width, height }) {
  const place = { left: `${x}%`, top: `${y}%`, width: `${width}%`, height: `${height}%` }
  return html`<div class="tile ${kind}" ${styled(place)} title="${title}: ${size(bytes)}">
    <span>${title}</span> <span>${size(bytes)}</span>
  </div>`
}

/** @param {Piece} piece */
function row({ title, bytes, names, kind }) {
  const [name] = names
  return html`<tr>
    <th scope="row">
      ${name === undefined ? title : html`<a href=${hashOf({ view: 'image', name })}>${title}</a>`}
    </th>
    <td>${size(bytes)}</td>
    <td>${kind === 'shared' ? `${names.length} images` : ''}</td>
  </tr>`
}
