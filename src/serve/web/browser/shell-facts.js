/** What the shell says of the service that it came from. */

/** Whether the service answers nobody without a token. */
export function asksForCallers() {
  return document.body.dataset['callers'] === 'known'
}

/** Whether the service hands out another page by now, so that parts of this one cannot be loaded any more. */
export async function isOutdated() {
  const shell = await shellNow()
  return shell !== null && !shell.includes(`data-assets="${document.body.dataset['assets']}"`)
}

/** @returns {Promise<string | null>} null where nobody answers, or not with a page */
async function shellNow() {
  try {
    const address = document.baseURI.replace(/#.*$/, '')
    const answer = await fetch(address, { credentials: 'omit', cache: 'no-store' })
    return answer.ok ? await answer.text() : null
  } catch {
    // The service is away again: whoever listens to it says so, and asks anew when it is back.
    return null
  }
}
