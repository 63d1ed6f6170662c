// Names in imports are the page's: a worker knows paths alone.
import { sha256 } from '../@noble/hashes/sha2.js'

/** Reads a file once, in pieces, and says its SHA-256: away from the page, which must not stutter. */
addEventListener('message', ({ data: file }) => void tell(file))

/** @param {Blob} file */
async function tell(file) {
  try {
    postMessage({ sha256: await digestOf(file) })
  } catch (error) {
    // A file that changes on its disk cannot be read any more.
    postMessage({ problem: error instanceof Error ? error.message : String(error) })
  }
}

/** @param {Blob} file */
async function digestOf(file) {
  const hash = sha256.create()
  for await (const piece of file.stream()) hash.update(piece)
  return Array.from(hash.digest(), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
