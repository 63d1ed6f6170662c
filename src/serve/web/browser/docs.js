/** Puts the address that the page itself came from into the lines that call the service, and lets them be copied. */
const base = new URL('.', location.href).href.replace(/\/$/, '')

for (const line of document.querySelectorAll('[data-line]')) {
  line.textContent = (line.textContent ?? '').trim().replaceAll('$SLIPWAY_URL', base)
  const button = line.parentElement?.querySelector('button')
  if (!(button instanceof HTMLButtonElement)) continue
  button.hidden = false
  button.addEventListener('click', () => void copy(line, button))
}

/** @param {Element} line @param {HTMLButtonElement} button */
async function copy(line, button) {
  try {
    await navigator.clipboard.writeText(line.textContent ?? '')
    button.textContent = 'Copied'
  } catch {
    // Browsers give the clipboard to pages over HTTPS and on loopback alone, and may be told not to.
    getSelection()?.selectAllChildren(line)
    button.textContent = 'Selected'
  }
}
