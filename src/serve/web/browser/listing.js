/** Which images are shown, and in which order. @import { ImageBody } from '../../../image/status.ts' */

/** @typedef {'name' | 'newest' | 'largest' | 'phase'} Order */
/** @typedef {{ search: string, phase: string, kind: string, order: Order }} Wish */

/** @type {Wish} */
export const everything = { search: '', phase: '', kind: '', order: 'name' }

/** In this order, what wants attention comes first. */
const urgency = [
  'Failed',
  'ImageLost',
  'Provisioning',
  'WaitForUserUpload',
  'Pending',
  'Terminating',
  'Ready',
]

const byName = (/** @type {ImageBody} */ one, /** @type {ImageBody} */ other) =>
  one.name < other.name ? -1 : 1

/** @type {Record<Order, (one: ImageBody, other: ImageBody) => number>} */
const orders = {
  name: byName,
  newest: (one, other) =>
    one.createdAt === other.createdAt
      ? byName(one, other)
      : one.createdAt < other.createdAt
        ? 1
        : -1,
  largest: (one, other) => bytesOf(other) - bytesOf(one) || byName(one, other),
  phase: (one, other) =>
    urgency.indexOf(one.status.phase) - urgency.indexOf(other.status.phase) || byName(one, other),
}

/** @param {Iterable<ImageBody>} images @param {Wish} wish @returns {ImageBody[]} */
export function listed(images, { search, phase, kind, order }) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  const fits = (/** @type {ImageBody} */ image) =>
    (phase === '' || image.status.phase === phase) &&
    (kind === '' || kind === kindOf(image)) &&
    words.every((word) => textOf(image).includes(word))
  return [...images].filter(fits).sort(orders[order])
}

/** @param {ImageBody} image @returns {'iso' | 'disk' | ''} */
function kindOf({ status: { cdrom } }) {
  return cdrom === undefined ? '' : cdrom ? 'iso' : 'disk'
}

/** What is searched. @param {ImageBody} image */
function textOf({ name, dataSource, status }) {
  const from = dataSource.http?.url ?? dataSource.containerImage?.image ?? ''
  return `${name} ${status.format ?? ''} ${from}`.toLowerCase()
}

/** @param {ImageBody} image */
function bytesOf({ status: { size } }) {
  return Number(size?.unpackedBytes ?? 0)
}
