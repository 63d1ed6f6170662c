/** What takes how much of the storage. @import { ImageBody } from '../../../image/status.ts' */

/**
 * @typedef {{ readonly title: string, readonly kind: 'own' | 'shared' | 'other' | 'free', readonly bytes: number, readonly names: readonly string[] }} Piece
 */

/** @typedef {{ readonly blobs: string, readonly staged: string, readonly free?: string, readonly limit?: string }} Figures bytes */

/** Smaller ones are one piece: nobody could tell them apart. */
const mostPieces = 40

/**
 * Images of the same bytes share them, so they are one piece. What the images do not account for is of repositories that were
 * pushed, and of transfers.
 * @param {Iterable<ImageBody>} images @param {{ blobBytes: number, stagedBytes: number, freeBytes: number | null }} figures
 * @returns {readonly Piece[]} the largest first, what is free last
 */
export function piecesOf(images, { blobBytes, stagedBytes, freeBytes }) {
  const own = [...groupsOf(images).values()].sort((one, other) => other.bytes - one.bytes)
  const shown = own.slice(0, mostPieces)
  const rest = own.slice(mostPieces)
  const counted = own.reduce((sum, { bytes }) => sum + bytes, 0)
  return [
    ...shown,
    ...piece(
      `${rest.length} smaller images`,
      'own',
      rest.reduce((sum, { bytes }) => sum + bytes, 0),
    ),
    ...piece('Pushed to repositories', 'other', blobBytes - counted),
    ...piece('On their way in', 'other', stagedBytes),
    ...piece('Free', 'free', freeBytes ?? 0),
  ]
}

/** @param {Iterable<ImageBody>} images */
function groupsOf(images) {
  /** @type {Map<string, Piece>} */
  const groups = new Map()
  for (const { name, status } of images) {
    const { digest } = status.target
    if (digest === undefined) continue
    const names = [...(groups.get(digest)?.names ?? []), name]
    const bytes = Number(status.size?.storedBytes ?? 0)
    const kind = names.length > 1 ? 'shared' : 'own'
    groups.set(digest, {
      title: names.slice(0, 3).join(', ') + (names.length > 3 ? ', …' : ''),
      kind,
      bytes,
      names,
    })
  }
  return groups
}

/** @param {string} title @param {Piece['kind']} kind @param {number} bytes @returns {readonly Piece[]} */
function piece(title, kind, bytes) {
  return bytes > 0 ? [{ title, kind, bytes, names: [] }] : []
}

/**
 * Where each piece lies in a rectangle of 100 by 100, its area as large as its bytes: halves by weight, cut across the longer
 * side.
 * @template {{ readonly bytes: number }} Item
 * @param {readonly Item[]} items @param {{ x: number, y: number, width: number, height: number }} place
 * @param {number} aspect width of the whole picture by its height
 * @returns {readonly { readonly item: Item, readonly x: number, readonly y: number, readonly width: number, readonly height: number }[]}
 */
export function laidOut(items, place, aspect) {
  const [item, ...others] = items
  if (item === undefined) return []
  if (others.length === 0) return [{ item, ...place }]
  const at = halfOf(items)
  const [first, second] = [items.slice(0, at), items.slice(at)]
  const part = weight(first) / weight(items)
  const { x, y, width, height } = place
  if (width * aspect >= height) {
    const left = { x, y, width: width * part, height }
    const right = { x: x + left.width, y, width: width - left.width, height }
    return [...laidOut(first, left, aspect), ...laidOut(second, right, aspect)]
  }
  const above = { x, y, width, height: height * part }
  const below = { x, y: y + above.height, width, height: height - above.height }
  return [...laidOut(first, above, aspect), ...laidOut(second, below, aspect)]
}

/** @param {readonly { readonly bytes: number }[]} items */
function halfOf(items) {
  const half = weight(items) / 2
  let sum = 0
  const at = items.findIndex(({ bytes }) => (sum += bytes) >= half) + 1
  return Math.min(Math.max(at, 1), items.length - 1)
}

/** @param {readonly { readonly bytes: number }[]} items */
function weight(items) {
  return items.reduce((sum, { bytes }) => sum + bytes, 0)
}
