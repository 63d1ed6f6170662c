/** What the service found out about a disk, in words. @import { ImageBody } from '../../../image/status.ts' */

import { size } from './words.js'

/** @typedef {readonly [title: string, text: string]} Fact */

/** Words of the service that would not be read as they are. @type {Readonly<Record<string, string>>} */
const titles = {
  createType: 'Kind of VMDK',
  extendedL2: 'Extended L2 entries',
  volumeId: 'Volume name',
  udf: 'UDF',
  joliet: 'Joliet',
}

/** @param {ImageBody['status']['details']} details @returns {readonly Fact[]} */
export function factsOf(details = {}) {
  return Object.entries(details).flatMap(([name, value]) => {
    const text = words(name, value)
    return text === '' ? [] : [/** @type {const} */ ([titleOf(name), text])]
  })
}

/** @param {string} name such as `clusterSize` @returns {string} such as `Cluster size` */
function titleOf(name) {
  const known = titles[name]
  if (known !== undefined) return known
  const apart = name.replace(
    /([a-z])([A-Z0-9])/g,
    (_, end, start) => `${end} ${start.toLowerCase()}`,
  )
  return apart.charAt(0).toUpperCase() + apart.slice(1)
}

/** @param {string} name @param {unknown} value @returns {string} empty for nothing */
function words(name, value) {
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'number') return /(?:size|bytes)$/i.test(name) ? size(value) : String(value)
  if (Array.isArray(value)) return value.map((each) => words(name, each)).join('; ')
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .map(([inner, each]) => `${titleOf(inner).toLowerCase()} ${words(inner, each)}`)
      .join(', ')
  }
  return typeof value === 'string' ? value : ''
}
