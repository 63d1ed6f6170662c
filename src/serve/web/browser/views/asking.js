import { html, render } from 'lit-html'

/** @typedef {{ readonly value: string, readonly text: string, readonly isDanger?: boolean }} Choice */

/**
 * Asks before something that cannot be undone. The dialog is the browser's own, so focus stays inside and comes back.
 * @param {{ title: string, text: string, doing: string }} question
 * @returns {Promise<boolean>}
 */
export async function asked({ title, text, doing }) {
  const choices = [{ value: 'yes', text: doing, isDanger: true }]
  return (await chosen({ title, text, choices })) === 'yes'
}

/**
 * Asks which of several things is to be done.
 * @param {{ title: string, text: string, choices: readonly Choice[], none?: string }} question `none` stands on the button that does nothing
 * @returns {Promise<string>} the value of the choice, empty for none
 */
export function chosen({ title, text, choices, none = 'Cancel' }) {
  const dialog = document.createElement('dialog')
  dialog.setAttribute('aria-labelledby', 'asked-title')
  dialog.setAttribute('aria-describedby', 'asked-text')
  render(
    html`
      <form method="dialog">
        <h2 id="asked-title">${title}</h2>
        <p id="asked-text">${text}</p>
        <div class="buttons">
          <button value="" autofocus>${none}</button>
          ${choices.map(
            ({ value, text, isDanger = false }) =>
              html`<button value=${value} class=${isDanger ? 'danger' : ''}>${text}</button>`,
          )}
        </div>
      </form>
    `,
    dialog,
  )
  document.body.append(dialog)
  dialog.showModal()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(dialog.returnValue)
    })
  })
}
