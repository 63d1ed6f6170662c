/** What the shell says of the service that it came from. */

/** Whether the service answers nobody without a token. */
export function asksForCallers() {
  return document.body.dataset['callers'] === 'known'
}

/** Whether the service hands out another page by now, so that parts of this one cannot be loaded any more. */
export async function isOutdated() {
  const answer = await fetch(document.baseURI.replace(/#.*$/, ''), {
    credentials: 'omit',
    cache: 'no-store',
  })
  return (
    answer.ok && !(await answer.text()).includes(`data-assets="${document.body.dataset['assets']}"`)
  )
}
