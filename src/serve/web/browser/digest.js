import { scriptAddress } from './trusted.js'
import { unreadable } from './unreadable.js'

/**
 * The SHA-256 of a file, worked out beside the page.
 * @param {File} file @param {AbortSignal} signal
 * @returns {Promise<string>} 64 hex characters
 * @throws {Problem} when the file can be read no more; the signal's reason
 */
export async function digestOf(file, signal) {
  const worker = new Worker(scriptAddress(new URL('digest-worker.js', import.meta.url)), {
    type: 'module',
  })
  const { promise, resolve, reject } = Promise.withResolvers()
  worker.addEventListener('message', ({ data }) =>
    data.sha256 === undefined ? reject(unreadable(file)) : resolve(data.sha256),
  )
  worker.addEventListener('error', () => reject(unreadable(file)))
  signal.addEventListener('abort', () => reject(signal.reason))
  worker.postMessage(file)
  try {
    return await promise
  } finally {
    worker.terminate()
  }
}
