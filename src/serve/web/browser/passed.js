/**
 * @param {number} milliseconds
 * @param {AbortSignal} signal ends it early
 * @returns {Promise<void>}
 */
export function passed(milliseconds, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, signal.aborted ? 0 : milliseconds)
    signal.addEventListener('abort', end)
  })
}

/**
 * As `passed`, and early too when the browser says that the network is back.
 * @param {number} milliseconds @param {AbortSignal} signal
 */
export async function passedOrOnline(milliseconds, signal) {
  const back = new AbortController()
  const heard = () => back.abort()
  addEventListener('online', heard)
  await passed(milliseconds, AbortSignal.any([signal, back.signal]))
  removeEventListener('online', heard)
}
