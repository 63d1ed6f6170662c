/**
 * Where in the page somebody is, as the part of its address behind `#` says it, so that it can be kept, shared and gone back to.
 * `query` is what is asked for there, as in a URL behind its `?`; empty or left out for nothing.
 * @typedef {{ view: 'images' | 'image' | 'storage' | 'repositories' | 'repository', name: string, query?: string }} Place
 */

/** @param {string} hash as `location.hash` @returns {Place} */
export function placeOf(hash) {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s)
  const [view = '', ...rest] = path.split('/')
  const name = rest.map(decoded).join('/')
  if (view === 'storage') return { view, name: '', query }
  if (view === 'repositories') return { view: name === '' ? view : 'repository', name, query }
  return { view: view === 'images' && name !== '' ? 'image' : 'images', name, query }
}

/** @param {Place} place */
export function hashOf({ view, name, query = '' }) {
  const asked = query === '' ? '' : `?${query}`
  if (view === 'image') return `#/images/${encodeURIComponent(name)}${asked}`
  if (view === 'repository')
    return `#/repositories/${name.split('/').map(encodeURIComponent).join('/')}${asked}`
  return `#/${view}${asked}`
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
