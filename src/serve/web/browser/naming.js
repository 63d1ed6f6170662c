/** What an image of a file or a URL may be called. @param {string} file */
export function nameOf(file) {
  const stem = file
    .toLowerCase()
    .replace(/(?:\.(?:iso|img|raw|qcow2|vmdk|vdi|vhdx?|gz|xz|zst|bz2|tar))+$/, '')
  const name = stem.replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '')
  return name.slice(0, 190).replace(/-+$/, '') || 'image'
}

/** What an image from there may be called; empty where nothing is told. @param {string} place a URL or a reference */
export function suggested(place) {
  const path = URL.parse(place)?.pathname ?? place.replace(/@.*$/, '')
  const last = path.split('/').findLast(Boolean) ?? ''
  return last === '' ? '' : nameOf(last)
}
