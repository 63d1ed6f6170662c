import { html } from 'lit-html'
import { columns } from '../listing.js'
import { phaseWords } from '../words.js'
/** @import { Wish } from '../listing.js' */

/** @type {readonly (readonly [string, string])[]} */
const phases = [
  ['', 'All'],
  ...Object.entries(phaseWords).map(([value, { text }]) => /** @type {const} */ ([value, text])),
]
/** @type {readonly (readonly [string, string])[]} */
const kinds = [
  ['', 'All'],
  ['iso', 'ISO'],
  ['disk', 'Disk'],
]
/** @type {readonly (readonly [string, string])[]} */
const orders = columns.flatMap(({ key, up, down }) => [
  [key, up],
  [`-${key}`, down],
])

/** What of the images is shown, and how. @param {Wish} wish @param {(field: keyof Wish, value: string) => void} wished */
export function imageTools({ search, phase, kind, order }, wished) {
  return html`
    <form
      class="tools"
      role="search"
      @submit=${(/** @type {Event} */ event) => event.preventDefault()}
    >
      <label>
        <span class="unseen">Search</span>
        <input
          type="search"
          placeholder="Search by name, format or source"
          .value=${search}
          @input=${taking('search', wished)}
        />
      </label>
      <label>
        Phase
        <select @change=${taking('phase', wished)}>
          ${options(phases, phase)}
        </select>
      </label>
      <label>
        Kind
        <select @change=${taking('kind', wished)}>
          ${options(kinds, kind)}
        </select>
      </label>
      <label class="order">
        Sort by
        <select @change=${taking('order', wished)}>
          ${options(orders, order)}
        </select>
      </label>
    </form>
  `
}

/** @param {readonly (readonly [string, string])[]} all @param {string} chosen */
function options(all, chosen) {
  return all.map(
    ([value, text]) => html`<option value=${value} .selected=${value === chosen}>${text}</option>`,
  )
}

/** @param {keyof Wish} field @param {(field: keyof Wish, value: string) => void} wished */
function taking(field, wished) {
  return (/** @type {Event} */ { target }) => {
    if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) {
      wished(field, target.value)
    }
  }
}
