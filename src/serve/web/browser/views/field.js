import { html, nothing } from 'lit-html'
import { sentence } from '../words.js'
/** @import { Draft, Field, Problems } from '../draft.js' */

/** What a form shows and who is told of its changes. @typedef {{ readonly draft: Draft, readonly problems: Problems, readonly changed: (field: Field, value: string) => void, readonly fixed?: Field | null }} Form */
/** @typedef {{ readonly field: Field, readonly label: string, readonly hint?: string, readonly type?: string, readonly example?: string, readonly isSecret?: boolean }} Line */

/** A line to fill in, with what is wrong with it. @param {Form} form @param {Line} line */
export function field(form, { field, label, hint = '', type = 'text', example = '' }) {
  const { draft, problems, changed } = form
  return html`
    <div class="field">
      <label for="create-${field}">${label}</label>
      <input
        id="create-${field}"
        name=${field}
        type=${type}
        autocomplete="off"
        autocapitalize="none"
        spellcheck="false"
        placeholder=${example}
        ?readonly=${form.fixed === field}
        aria-invalid=${problems.has(field)}
        aria-describedby=${described(form, field, hint)}
        .value=${draft[field]}
        @input=${taking(field, changed)}
      />
      ${beside(form, field, hint)}
    </div>
  `
}

/** As `field`, of several lines. @param {Form} form @param {Line} line */
export function area(form, { field, label, hint = '', example = '' }) {
  const { draft, problems, changed } = form
  return html`
    <div class="field">
      <label for="create-${field}">${label}</label>
      <textarea
        id="create-${field}"
        name=${field}
        rows="3"
        autocomplete="off"
        spellcheck="false"
        placeholder=${example}
        aria-invalid=${problems.has(field)}
        aria-describedby=${described(form, field, hint)}
        .value=${draft[field]}
        @input=${taking(field, changed)}
      ></textarea>
      ${beside(form, field, hint)}
    </div>
  `
}

/** @param {Form} form @param {Field} field @param {string} hint */
function described({ problems }, field, hint) {
  if (problems.has(field)) return `create-${field}-problem`
  return hint === '' ? nothing : `create-${field}-hint`
}

/** @param {Form} form @param {Field} field @param {string} hint */
function beside({ problems }, field, hint) {
  const problem = problems.get(field)
  if (problem !== undefined)
    return html`<p class="bad" id="create-${field}-problem">${sentence(problem)}</p>`
  return hint === '' ? nothing : html`<p class="hint" id="create-${field}-hint">${hint}</p>`
}

/** @param {Field} field @param {Form['changed']} changed */
function taking(field, changed) {
  return (/** @type {Event} */ { target }) => {
    if (target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement)
      changed(field, target.value)
  }
}
