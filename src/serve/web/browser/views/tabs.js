import { html } from 'lit-html'

/**
 * A list of tabs, of which one is chosen; the panel's id is `<id>-panel`, a tab's `<id>-<its key>`.
 * @template {string} Key
 * @param {string} id
 * @param {{ readonly label: string, readonly all: readonly (readonly [Key, string])[], readonly chosen: Key, readonly choose: (key: Key) => void }} tabs
 */
export function tabs(id, { label, all, chosen, choose }) {
  return html`<div role="tablist" aria-label=${label} @keydown=${turning(id, all, chosen, choose)}>
    ${all.map(
      ([key, text]) =>
        html`<button
          type="button"
          role="tab"
          id="${id}-${key}"
          aria-selected=${key === chosen}
          aria-controls="${id}-panel"
          tabindex=${key === chosen ? 0 : -1}
          @click=${() => choose(key)}
        >
          ${text}
        </button>`,
    )}
  </div>`
}

/**
 * Arrows go from tab to tab, as in every list of tabs (WAI-ARIA, "Tabs").
 * @template {string} Key
 * @param {string} id @param {readonly (readonly [Key, string])[]} all @param {Key} chosen @param {(key: Key) => void} choose
 */
function turning(id, all, chosen, choose) {
  return (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (step === undefined) return
    const at = all.findIndex(([key]) => key === chosen)
    const [key] = all[(at + step + all.length) % all.length] ?? [chosen]
    choose(key)
    requestAnimationFrame(() => document.getElementById(`${id}-${key}`)?.focus())
  }
}
