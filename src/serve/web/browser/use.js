/** What takes how much of the storage. @import { SharesBody, StorageBody } from '../../api/storage-schema.ts' */

/** @typedef {'image' | 'pushed' | 'shared' | 'unneeded' | 'arriving' | 'rest'} Kind */

/**
 * @typedef {{
 *   readonly kind: Kind,
 *   readonly title: string,
 *   readonly bytes: number,
 *   readonly repositories: readonly string[],
 *   readonly holders: number,
 * }} Piece `repositories` are the first names of all `holders`
 */

/** Of what is there, each part of a picture has at least this share: nobody could tell smaller ones apart. */
const smallest = 1 / 300

/**
 * All of what is stored, the largest first.
 * @param {SharesBody} shares
 * @param {number} staged bytes that are on their way in
 * @returns {readonly Piece[]}
 */
export function piecesOf({ items, others }, staged) {
  const pieces = [
    ...items.map((item) => pieceOf(item)),
    piece('arriving', 'On their way in', staged),
    piece('rest', 'Many small ones', Number(others.bytes)),
  ]
  return pieces.filter(({ bytes }) => bytes > 0).sort((one, other) => other.bytes - one.bytes)
}

/**
 * As `piecesOf`, with those taken together that are too small to be seen.
 * @param {readonly Piece[]} pieces
 * @returns {readonly Piece[]} the largest first, those that were taken together last
 */
export function drawn(pieces) {
  const least = weight(pieces) * smallest
  const isLarge = (/** @type {Piece} */ { bytes, kind }) => bytes >= least && kind !== 'rest'
  const large = pieces.filter((piece) => isLarge(piece))
  const small = pieces.filter((piece) => !isLarge(piece))
  if (small.length < 2) return [...large, ...small]
  return [...large, piece('rest', `${small.length} smaller parts`, weight(small))]
}

/** @param {SharesBody['items'][number]} item @returns {Piece} */
function pieceOf({ bytes, repositories, holders }) {
  const kind = kindOf(repositories, holders)
  return {
    kind,
    title: titleOf(repositories, holders),
    bytes: Number(bytes),
    repositories,
    holders,
  }
}

/** @param {readonly string[]} repositories @param {number} holders @returns {Kind} */
function kindOf([first], holders) {
  if (holders === 0) return 'unneeded'
  if (holders > 1) return 'shared'
  return first !== undefined && imageOf(first) === null ? 'pushed' : 'image'
}

/** @param {readonly string[]} repositories @param {number} holders */
function titleOf(repositories, holders) {
  if (holders === 0) return 'In no image or repository'
  const names = repositories.map((name) => imageOf(name) ?? name)
  const more = holders - names.length
  if (names.length === 0) return 'What you may not see'
  return names.join(', ') + (more > 0 ? ` and ${more} more` : '')
}

/** @param {Kind} kind @param {string} title @param {number} bytes @returns {Piece} */
function piece(kind, title, bytes) {
  return { kind, title, bytes, repositories: [], holders: 0 }
}

/** The image that a repository hands out, null for one that was pushed. @param {string} repository */
export function imageOf(repository) {
  return /^cvi\/(?<name>[^/]+)$/.exec(repository)?.groups?.['name'] ?? null
}

/**
 * What can still be stored, null where nobody knows: object storage does not tell how large it is.
 * @param {StorageBody['bytes']} bytes
 * @returns {number | null} bytes
 */
export function roomIn({ blobs, staged, free, limit }) {
  const rooms = [
    ...(free === undefined ? [] : [Number(free)]),
    ...(limit === undefined ? [] : [Math.max(0, Number(limit) - Number(blobs) - Number(staged))]),
  ]
  return rooms.length === 0 ? null : Math.min(...rooms)
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
