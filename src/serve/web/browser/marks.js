import { ofBrowser, ofTab } from './kept.js'
import { Problem } from './api.js'
import { unreadable } from './unreadable.js'

/**
 * What this browser remembers of a file that it began to send, so that after a reload the rest of another one is not laid
 * behind its beginning.
 * @typedef {{ readonly name: string, readonly size: number, readonly modified: number, readonly head: string }} Mark
 */

/** So many bytes at its beginning tell a file from another one, mostly. */
const headLength = 1_048_576
const prefix = 'slipway-upload-'

/** @param {File} file @returns {Promise<Mark>} @throws {Problem} when the file cannot be read, or the page not be loaded */
export async function markOf(file) {
  const sha256 = await loaded()
  const head = sha256(await headOf(file))
  return { name: file.name, size: file.size, modified: file.lastModified, head: hexOf(head) }
}

/** Most visits send nothing. @throws {Problem} */
async function loaded() {
  try {
    return (await import('@noble/hashes/sha2.js')).sha256
  } catch {
    throw new Problem('a part of this page could not be loaded; load the page anew', {
      code: 'AWAY',
      status: 0,
    })
  }
}

/** @param {File} file @throws {Problem} */
async function headOf(file) {
  try {
    return new Uint8Array(await file.slice(0, headLength).arrayBuffer())
  } catch {
    throw unreadable(file)
  }
}

/** @param {string} uid of the image @param {Mark} mark */
export function remember(uid, mark) {
  ofBrowser.set(prefix + uid, JSON.stringify(mark))
}

/** @param {string} uid @returns {Mark | null} null for what another browser began */
export function recalled(uid) {
  const text = ofBrowser.get(prefix + uid)
  return text === null ? null : JSON.parse(text)
}

/** Whether no other tab has begun another file since. @param {string} uid @param {Mark} mark */
export function isRemembered(uid, mark) {
  const text = ofBrowser.get(prefix + uid)
  return text === null || text === JSON.stringify(mark)
}

/** @param {string} uid */
export function forget(uid) {
  ofBrowser.remove(prefix + uid)
  ofTab.remove(prefix + uid)
}

/** The address of an upload is a secret, so it stays with this tab. @param {string} uid @param {string} address */
export function rememberAddress(uid, address) {
  ofTab.set(prefix + uid, address)
}

/** Whoever comes next at this tab is somebody else; what is being sent knows its address. */
export function forgetAddresses() {
  for (const key of ofTab.keys(prefix)) ofTab.remove(key)
}

/** @param {string} uid */
export function recalledAddress(uid) {
  return ofTab.get(prefix + uid)
}

/**
 * Whether a file can be the one that was begun: `other` when it cannot, `unsure` when nobody but its owner knows.
 * @param {Mark | null} before @param {Mark} now @returns {'same' | 'other' | 'unsure'}
 */
export function compared(before, now) {
  if (before === null) return 'unsure'
  if (before.size !== now.size || before.head !== now.head) return 'other'
  return before.modified === now.modified ? 'same' : 'unsure'
}

/** What is remembered of others goes. @param {(uid: string) => boolean} isKnown */
export function tidy(isKnown) {
  const uids = ofBrowser.keys(prefix).map((key) => key.slice(prefix.length))
  for (const uid of uids) if (!isKnown(uid)) forget(uid)
}

/** @param {Uint8Array} bytes */
function hexOf(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
