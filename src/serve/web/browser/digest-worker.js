// Names in imports are the page's: a worker knows paths alone.
import { sha256 } from '../@noble/hashes/sha2.js'

/** Reads a file once, in pieces, and says its SHA-256: away from the page, which must not stutter. */
addEventListener('message', ({ data: file }) => void told(file))

/** @param {Blob} file */
async function told(file) {
  const hash = sha256.create()
  for await (const piece of file.stream()) hash.update(piece)
  postMessage(Array.from(hash.digest(), (byte) => byte.toString(16).padStart(2, '0')).join(''))
}
