/**
 * Files may be dropped anywhere on the page.
 * @param {{ hovers: (isOver: boolean) => void, drop: (files: readonly File[]) => void, isWanted: () => boolean }} listener
 */
export function followDrops({ hovers, drop, isWanted }) {
  let depth = 0
  const hasFiles = (/** @type {DragEvent} */ { dataTransfer }) =>
    isWanted() && (dataTransfer?.types.includes('Files') ?? false)
  addEventListener('dragenter', (event) => {
    if (!hasFiles(event)) return
    event.preventDefault()
    depth += 1
    hovers(true)
  })
  addEventListener('dragover', (event) => {
    if (hasFiles(event)) event.preventDefault()
  })
  addEventListener('dragleave', (event) => {
    if (!hasFiles(event)) return
    depth -= 1
    if (depth === 0) hovers(false)
  })
  addEventListener('drop', (event) => {
    if (!hasFiles(event)) return
    event.preventDefault()
    depth = 0
    hovers(false)
    drop([...(event.dataTransfer?.files ?? [])])
  })
}
