/**
 * Where in the page somebody is, as the part of its address behind `#` says it, so that it can be kept, shared and gone back to.
 * @typedef {{ view: 'images' | 'image' | 'storage' | 'repositories' | 'repository', name: string }} Place
 */

/** @param {string} hash as `location.hash` @returns {Place} */
export function placeOf(hash) {
  const [view = '', ...rest] = hash.replace(/^#\/?/, '').split('/')
  const name = rest.map(decoded).join('/')
  if (view === 'storage') return { view, name: '' }
  if (view === 'repositories') return { view: name === '' ? view : 'repository', name }
  return { view: view === 'images' && name !== '' ? 'image' : 'images', name }
}

/** @param {Place} place */
export function hashOf({ view, name }) {
  if (view === 'image') return `#/images/${encodeURIComponent(name)}`
  if (view === 'repository')
    return `#/repositories/${name.split('/').map(encodeURIComponent).join('/')}`
  return `#/${view}`
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    // Not written by us: it stands for itself.
    return text
  }
}
