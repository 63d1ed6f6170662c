import { html } from 'lit-html'
/** @import { Way } from '../draft.js' */

/** @typedef {readonly [Way, string]} Tab */

/** Where an image may come from. @param {readonly Tab[]} all @param {Way} chosen @param {(way: Way) => void} turn */
export function tabs(all, chosen, turn) {
  return html`
    <div
      role="tablist"
      aria-label="Where it comes from"
      @keydown=${(/** @type {KeyboardEvent} */ event) => turned(all, chosen, turn, event)}
    >
      ${all.map(([way, text]) => tab(way, text, way === chosen, turn))}
    </div>
  `
}

/** @param {Way} way @param {string} text @param {boolean} isChosen @param {(way: Way) => void} turn */
function tab(way, text, isChosen, turn) {
  return html`<button
    type="button"
    role="tab"
    id="create-${way}"
    aria-selected=${isChosen}
    aria-controls="create-panel"
    tabindex=${isChosen ? 0 : -1}
    @click=${() => turn(way)}
  >
    ${text}
  </button>`
}

/**
 * Arrows go from tab to tab, as in every list of tabs (WAI-ARIA, "Tabs").
 * @param {readonly Tab[]} all @param {Way} chosen @param {(way: Way) => void} turn @param {KeyboardEvent} event
 */
function turned(all, chosen, turn, { key }) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key]
  if (step === undefined) return
  const at = all.findIndex(([way]) => way === chosen)
  const [way] = all[(at + step + all.length) % all.length] ?? [chosen]
  turn(way)
}
