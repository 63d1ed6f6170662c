/**
 * Files may be dropped anywhere on the page.
 * @param {{ hovers: (isOver: boolean) => void, drop: (files: readonly File[]) => void, isWanted: () => boolean }} listener
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
    drop([...(event.dataTransfer?.files ?? [])])
  })
}

/** @param {DragEvent} event */
function isOfFiles({ dataTransfer }) {
  return dataTransfer?.types.includes('Files') ?? false
}
