import { Problem } from './api.js'
import { firstPart, nextPart } from './parts.js'
import { scriptAddress } from './trusted.js'
/** @import { DetailedError } from 'tus-js-client' */

/**
 * `from` is what the service said that it has. `took` is told what it has after each part, and what it may have after the next.
 * @typedef {{
 *   from: number, sent: (bytes: number) => void, took: (bytes: number, next: number) => void, signal: AbortSignal
 * }} Listener
 */

/**
 * Sends what the service does not have of a file yet (tus 1.0). It reads the file as it goes.
 * @param {File} file @param {string} address of an upload that has been announced
 * @param {Listener} listener
 * @returns {Promise<void>} resolves when the service has all of it
 * @throws {Problem} status 0 where there was no answer
 */
export async function send(file, address, { from, sent, took, signal }) {
  const { Upload } = await loaded()
  // It may have been paused meanwhile.
  signal.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers()
  const part = { at: performance.now(), bytes: firstPart }
  const upload = new Upload(file, {
    uploadUrl: address,
    chunkSize: firstPart,
    retryDelays: null,
    storeFingerprintForResuming: false,
    onAfterResponse: (request, answer) => {
      if (request.getMethod() !== 'HEAD') return
      // Somebody else was faster, perhaps with another file: it has to be looked at again.
      if (Number(answer.getHeader('upload-offset') ?? from) !== from) throw new Error('has changed')
    },
    onProgress: sent,
    onChunkComplete: (bytes, there) => {
      const now = performance.now()
      part.bytes = nextPart(part.bytes, (bytes * 1000) / Math.max(now - part.at, 1))
      part.at = now
      upload.options.chunkSize = part.bytes
      took(there, there + part.bytes)
    },
    onSuccess: () => resolve(null),
    onError: (error) => reject(problemIn(error)),
  })
  const stop = () => {
    void upload.abort()
    reject(signal.reason)
  }
  signal.addEventListener('abort', stop)
  took(from, from + firstPart)
  upload.start()
  try {
    await promise
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** @param {Error | DetailedError} error */
function problemIn(error) {
  const answer = 'originalResponse' in error ? error.originalResponse : null
  const status = answer?.getStatus() ?? 0
  const text = answer?.getBody() ?? ''
  const isProblem = answer?.getHeader('content-type')?.startsWith('application/problem+json')
  // What answers HEAD has no body.
  if (!isProblem || text === '') return new Problem(wordsFor(status), { code: 'UPLOAD', status })
  return told(text, status)
}

/** @param {string} text as RFC 9457 has it, unless it came in parts @param {number} status */
function told(text, status) {
  try {
    const { detail, code } = JSON.parse(text)
    return new Problem(detail, { code, status })
  } catch {
    return new Problem(wordsFor(status), { code: 'UPLOAD', status })
  }
}

/** @param {number} status */
function wordsFor(status) {
  if (status === 0) return 'the connection broke'
  if (status === 404) return 'this upload is known no more; the image may have been deleted'
  if (status === 410) return 'the time for this upload is over; open the image and try it again'
  if (status === 413) return 'something before the service takes no requests of this size'
  return `something before the service answered ${status}`
}

/** Loaded with the first upload: most visits send nothing. @returns {Promise<typeof import('tus-js-client')>} */
async function loaded() {
  const known = Reflect.get(globalThis, 'tus')
  if (known !== undefined) return known
  const script = document.createElement('script')
  script.src = scriptAddress(new URL('../tus-js-client/dist/tus.min.js', import.meta.url))
  const { promise, resolve, reject } = Promise.withResolvers()
  script.addEventListener('load', resolve)
  script.addEventListener('error', () =>
    reject(new Problem('the page could not be loaded whole', { code: 'AWAY', status: 0 })),
  )
  document.head.append(script)
  await promise
  return Reflect.get(globalThis, 'tus')
}
