/** An image as the resource of a cluster. @import { ImageBody } from '../../../image/status.ts' */

/** @param {ImageBody} image @returns {string} YAML */
export function manifest({ name, dataSource }) {
  return [
    'apiVersion: virtualization.deckhouse.io/v1alpha2',
    'kind: ClusterVirtualImage',
    'metadata:',
    `  name: ${scalar(name)}`,
    'spec:',
    '  dataSource:',
    ...block(dataSource, '    '),
  ].join('\n')
}

/** @param {object} fields @param {string} indent @returns {readonly string[]} */
function block(fields, indent) {
  return Object.entries(fields).flatMap(([key, value]) => entry(key, value, indent))
}

/** @param {string} key @param {unknown} value @param {string} indent */
function entry(key, value, indent) {
  if (typeof value !== 'object' || value === null)
    return [`${indent}${scalar(key)}: ${scalar(value)}`]
  return [`${indent}${scalar(key)}:`, ...block(value, `${indent}  `)]
}

/** What YAML would take for something else than a text (YAML 1.1, which kubectl reads). */
const special = /^(?:y|n|yes|no|on|off|true|false|null)$/i

/** @param {unknown} value */
function scalar(value) {
  if (typeof value !== 'string') return JSON.stringify(value)
  const isPlain = /^[A-Za-z](?:[-\w]*\w)?$/.test(value) && !special.test(value)
  return isPlain ? value : JSON.stringify(value)
}
