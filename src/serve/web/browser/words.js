/** What people read instead of machines' words. @import { ImageBody } from '../../../image/status.ts' */

/** @typedef {ImageBody['status']['phase']} Phase */

/** @type {Record<Phase, { readonly text: string, readonly tone: 'good' | 'bad' | 'busy' | 'quiet' }>} */
export const phaseWords = {
  Pending: { text: 'Waiting', tone: 'quiet' },
  WaitForUserUpload: { text: 'Waits for upload', tone: 'quiet' },
  Provisioning: { text: 'Coming in', tone: 'busy' },
  Ready: { text: 'Ready', tone: 'good' },
  Failed: { text: 'Failed', tone: 'bad' },
  Terminating: { text: 'Being deleted', tone: 'quiet' },
  ImageLost: { text: 'Lost', tone: 'bad' },
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** @param {string | number | bigint | undefined} bytes decimal @returns {string} such as `1.4 GiB`, a dash for nothing */
export function size(bytes) {
  if (bytes === undefined) return '–'
  let value = Number(bytes)
  let unit = 0
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024
  return `${value.toFixed(unit === 0 || value >= 100 ? 0 : 1)} ${units[unit]}`
}

const since = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' })
/** @type {readonly (readonly [Intl.RelativeTimeFormatUnit, number])[]} */
const spans = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
]

/** @param {string} time ISO 8601 @param {number} now milliseconds since 1970 */
export function age(time, now) {
  const seconds = Math.min(0, Math.round((Date.parse(time) - now) / 1000))
  const [unit, length] = spans.find(([, length]) => -seconds >= length) ?? ['second', 1]
  return since.format(Math.trunc(seconds / length), unit)
}

/** @param {number} seconds @returns {string} such as `1 min 20 s` */
export function span(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`
}

/** How far it has come. @param {ImageBody['status']} status @returns {number | null} percent; null where nobody knows */
export function percent({ progress }) {
  const value = Number.parseFloat(progress ?? '')
  return Number.isFinite(value) ? value : null
}

/** @param {ImageBody['status']} status @returns {string} such as `84 MiB/s, 1 min 20 s left`; empty where nothing moves */
export function movement({ downloadSpeed, remainingSeconds, receivedBytes }) {
  const parts = [
    ...(receivedBytes === undefined ? [] : [`${size(receivedBytes)} so far`]),
    ...(downloadSpeed === undefined ? [] : [`${size(downloadSpeed.currentBytes)}/s`]),
    ...(remainingSeconds === undefined ? [] : [`${span(remainingSeconds)} left`]),
  ]
  return parts.join(', ')
}

/** What is the matter with it, and what to do; empty for nothing. @param {ImageBody} image */
export function trouble({ status }) {
  const told = status.conditions.filter(
    ({ status, message }) => status !== 'True' && message !== '',
  )
  return told.map(({ message }) => message).join(' ')
}
