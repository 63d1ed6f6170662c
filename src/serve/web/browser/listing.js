import { phaseWords } from './words.js'
/** Which images are shown, and in which order. @import { ImageBody } from '../../../image/status.ts' */

/** @typedef {'name' | 'phase' | 'format' | 'size' | 'stored' | 'created'} Key */
/** A hyphen before it: the other way round. @typedef {Key | `-${Key}`} Order */
/** @typedef {{ search: string, phase: string, kind: string, order: Order }} Wish */

/** @type {Wish} */
export const everything = { search: '', phase: '', kind: '', order: 'name' }

/**
 * What the list can be sorted by: its columns, with how each order is called. `first` is what somebody wants who asks for it.
 * @type {readonly { readonly key: Key, readonly title: string, readonly first: Order, readonly up: string, readonly down: string }[]}
 */
export const columns = [
  { key: 'name', title: 'Name', first: 'name', up: 'Name, A to Z', down: 'Name, Z to A' },
  { key: 'phase', title: 'Phase', first: 'phase', up: 'Trouble first', down: 'Ready first' },
  { key: 'format', title: 'Format', first: 'format', up: 'Format, A to Z', down: 'Format, Z to A' },
  { key: 'size', title: 'Size', first: '-size', up: 'Smallest first', down: 'Largest first' },
  {
    key: 'stored',
    title: 'Stored',
    first: '-stored',
    up: 'Least stored first',
    down: 'Most stored first',
  },
  { key: 'created', title: 'Created', first: '-created', up: 'Oldest first', down: 'Newest first' },
]

/** @param {Key} key @param {Order} order @returns {'ascending' | 'descending' | null} null for one that is not sorted by */
export function directionOf(key, order) {
  if (order === key) return 'ascending'
  return order === `-${key}` ? 'descending' : null
}

/** What a click on the head of a column asks for. @param {Key} key @param {Order} order the present one @returns {Order} */
export function orderAfter(key, order) {
  if (order === key) return `-${key}`
  if (order === `-${key}`) return key
  return columns.find((column) => column.key === key)?.first ?? key
}

/** @param {string} query of the page's address @returns {Wish} */
export function wishOf(query) {
  const asked = new URLSearchParams(query)
  const order = asked.get('order')
  return {
    search: asked.get('search') ?? '',
    phase: known(asked.get('phase'), Object.keys(phaseWords)),
    kind: known(asked.get('kind'), ['iso', 'disk']),
    order: allOrders.find((known) => known === order) ?? everything.order,
  }
}

/** @param {string | null} value @param {readonly string[]} values @returns {string} empty for one that there is not */
function known(value, values) {
  return values.find((known) => known === value) ?? ''
}

/** @param {Wish} wish @returns {string} what differs from everything, for the page's address */
export function queryOf(wish) {
  const asked = new URLSearchParams()
  for (const field of fields) {
    if (wish[field] !== everything[field]) asked.set(field, wish[field])
  }
  return asked.toString()
}

/** @type {readonly (keyof Wish)[]} */
const fields = ['search', 'phase', 'kind', 'order']
/** @type {readonly Order[]} */
const allOrders = columns.flatMap(({ key }) => /** @type {const} */ ([key, `-${key}`]))

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

/** @typedef {(one: ImageBody, other: ImageBody) => number} Compare */

/** @param {string} one @param {string} other */
const text = (one, other) => (one === other ? 0 : one < other ? -1 : 1)

/** @type {Record<Key, Compare>} */
const comparing = {
  name: (one, other) => text(one.name, other.name),
  phase: (one, other) => urgency.indexOf(one.status.phase) - urgency.indexOf(other.status.phase),
  format: (one, other) => text(one.status.format ?? '~', other.status.format ?? '~'),
  size: (one, other) =>
    number(one.status.size?.unpackedBytes) - number(other.status.size?.unpackedBytes),
  stored: (one, other) =>
    number(one.status.size?.storedBytes) - number(other.status.size?.storedBytes),
  created: (one, other) => text(one.createdAt, other.createdAt),
}

/** @param {string | undefined} bytes */
function number(bytes) {
  return Number(bytes ?? 0)
}

/** Equal ones are in the order of their names, whichever way round. @param {Order} order @returns {Compare} */
function compareBy(order) {
  const column = columns.find(({ key }) => directionOf(key, order) !== null)
  const compare = comparing[column?.key ?? 'name']
  const sign = order.startsWith('-') ? -1 : 1
  return (one, other) => sign * compare(one, other) || comparing.name(one, other)
}

/** @param {Iterable<ImageBody>} images @param {Wish} wish @returns {readonly ImageBody[]} */
export function listed(images, wish) {
  return [...images].sort(compareBy(wish.order)).filter(fitting(wish))
}

/** @param {Wish} wish @returns {(image: ImageBody) => boolean} */
function fitting({ search, phase, kind }) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  return (image) =>
    (phase === '' || image.status.phase === phase) &&
    (kind === '' || kind === kindOf(image)) &&
    words.every((word) => textOf(image).includes(word))
}

/** Thousands of images are sorted when one of them has changed, and filtered when something else is wished; else they stay. */
export class Listing {
  #version = -1
  /** @type {Order | null} */
  #order = null
  #query = ''
  /** @type {readonly ImageBody[]} */
  #sorted = []
  /** @type {readonly ImageBody[]} */
  #listed = []

  /**
   * @param {{ readonly version: number, all: () => Iterable<ImageBody> }} images @param {Wish} wish
   * @returns {readonly ImageBody[]}
   */
  of(images, wish) {
    const isSorted = images.version === this.#version && wish.order === this.#order
    const query = queryOf(wish)
    if (isSorted && query === this.#query) return this.#listed
    if (!isSorted) this.#sorted = [...images.all()].sort(compareBy(wish.order))
    this.#version = images.version
    this.#order = wish.order
    this.#query = query
    this.#listed = this.#sorted.filter(fitting(wish))
    return this.#listed
  }
}

/** @param {ImageBody} image @returns {'iso' | 'disk' | ''} */
function kindOf({ status: { cdrom } }) {
  return cdrom === undefined ? '' : cdrom ? 'iso' : 'disk'
}

/** What is searched, of each image as it is now. @type {WeakMap<ImageBody, string>} */
const texts = new WeakMap()

/** @param {ImageBody} image */
function textOf(image) {
  const known = texts.get(image)
  if (known !== undefined) return known
  const { name, dataSource, status } = image
  const from = dataSource.http?.url ?? dataSource.containerImage?.image ?? ''
  const made = `${name} ${status.format ?? ''} ${from}`.toLowerCase()
  texts.set(image, made)
  return made
}
