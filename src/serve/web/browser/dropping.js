/** What was dropped, and the names of folders among it. @typedef {{ readonly files: readonly File[], readonly folders: readonly string[] }} Dropped */

/**
 * Files may be dropped anywhere on the page.
 * @param {{ hovers: (isOver: boolean) => void, drop: (dropped: Dropped) => void, isWanted: () => boolean }} listener
 */
export function followDrops({ hovers, drop, isWanted }) {
  let depth = 0
  const hasFiles = (/** @type {DragEvent} */ event) => isWanted() && isOfFiles(event)
  addEventListener('dragenter', (event) => {
    if (!hasFiles(event)) return
    event.preventDefault()
    depth += 1
    hovers(true)
  })
  addEventListener('dragover', (event) => {
    if (!isOfFiles(event)) return
    event.preventDefault()
    if (event.dataTransfer && !isWanted()) event.dataTransfer.dropEffect = 'none'
  })
  addEventListener('dragleave', (event) => {
    if (!hasFiles(event)) return
    depth -= 1
    if (depth === 0) hovers(false)
  })
  addEventListener('drop', (event) => {
    // Where none is wanted a browser would go to the file, and away from the page.
    if (isOfFiles(event)) event.preventDefault()
    if (!hasFiles(event)) return
    depth = 0
    hovers(false)
    if (event.dataTransfer) drop(droppedIn(event.dataTransfer))
  })
}

/** @param {DragEvent} event */
function isOfFiles({ dataTransfer }) {
  return dataTransfer?.types.includes('Files') ?? false
}

/** A folder looks like a file that cannot be read. @param {DataTransfer} transfer @returns {Dropped} */
function droppedIn({ items }) {
  const entries = [...items].filter(({ kind }) => kind === 'file')
  const folders = entries.flatMap((item) => {
    const entry = item.webkitGetAsEntry()
    return entry?.isDirectory ? [entry.name] : []
  })
  const files = entries.flatMap((item) => {
    const file = item.webkitGetAsEntry()?.isDirectory ? null : item.getAsFile()
    return file ? [file] : []
  })
  return { files, folders }
}
