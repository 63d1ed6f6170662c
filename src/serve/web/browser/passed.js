/**
 * @param {number} milliseconds
 * @param {AbortSignal} signal ends it early
 * @returns {Promise<void>}
 */
export function passed(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
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
