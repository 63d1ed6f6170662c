import { html } from 'lit-html'
import { sentence } from '../words.js'
import { moment } from './image-facts.js'
/** @import { ImageBody } from '../../../../image/status.ts' */

const states = { True: 'Yes', False: 'No', Unknown: 'Not known' }
const types = { DatasourceReady: 'Its source is in order', Ready: 'It is Ready' }

/** How the service judges an image, word for word. @param {ImageBody} image */
export function conditions({ status }) {
  return html`
    <h3 id="conditions">Conditions</h3>
    <div class="wide" role="region" tabindex="0" aria-labelledby="conditions">
      <table aria-labelledby="conditions">
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">State</th>
            <th scope="col">Reason</th>
            <th scope="col">Message</th>
            <th scope="col">Since</th>
          </tr>
        </thead>
        <tbody>
          ${status.conditions.map(row)}
        </tbody>
      </table>
    </div>
  `
}

/** @param {ImageBody['status']['conditions'][number]} condition */
function row({ type, status, reason, message, lastTransitionTime }) {
  return html`<tr>
    <th scope="row">${types[type]}</th>
    <td>${states[status]}</td>
    <td><code>${reason}</code></td>
    <td>${sentence(message)}</td>
    <td>${moment(lastTransitionTime)}</td>
  </tr>`
}
