import { html, render } from 'lit-html'

/**
 * Asks before something that cannot be undone. The dialog is the browser's own, so focus stays inside and comes back.
 * @param {{ title: string, text: string, doing: string }} question
 * @returns {Promise<boolean>}
 */
export function asked({ title, text, doing }) {
  const dialog = document.createElement('dialog')
  dialog.setAttribute('aria-labelledby', 'asked-title')
  render(
    html`
      <form method="dialog">
        <h2 id="asked-title">${title}</h2>
        <p>${text}</p>
        <div class="buttons">
          <button value="no" autofocus>Cancel</button>
          <button value="yes" class="danger">${doing}</button>
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
      resolve(dialog.returnValue === 'yes')
    })
  })
}
