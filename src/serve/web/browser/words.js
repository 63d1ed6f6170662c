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

/** What is said of an image first. @param {ImageBody['status']} status */
export function phaseOf({ phase, nextRetryAt, upload }) {
  if (phase !== 'Provisioning') return phaseWords[phase]
  if (upload !== undefined) return brokenOff
  return nextRetryAt === undefined ? phaseWords[phase] : retried
}

const brokenOff = /** @type {const} */ ({ text: 'Waits for the rest of its file', tone: 'quiet' })
const retried = /** @type {const} */ ({ text: 'Waits to try again', tone: 'bad' })

/** @type {Record<NonNullable<ImageBody['status']['format']>, string>} */
export const formatWords = {
  qcow2: 'qcow2 disk',
  raw: 'Raw disk',
  iso: 'ISO (a CD or DVD)',
  vmdk: 'VMDK disk (VMware)',
  vdi: 'VDI disk (VirtualBox)',
  vhd: 'VHD disk (Hyper-V)',
  vhdx: 'VHDX disk (Hyper-V)',
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
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
]

/** Words of an age are true for so long at least, in milliseconds. */
export const ageLasts = 30_000

/** How long ago. @param {string} time ISO 8601, or whatever strangers wrote @param {number} now milliseconds since 1970 */
export function age(time, now) {
  if (Number.isNaN(Date.parse(time))) return 'at some time'
  const seconds = Math.min(0, Math.round((Date.parse(time) - now) / 1000))
  const found = spans.find(([, length]) => -seconds >= length)
  if (!found) return 'just now'
  const [unit, length] = found
  return since.format(Math.trunc(seconds / length), unit)
}

/** How long until then. @param {string} time ISO 8601 @param {number} now milliseconds since 1970 */
export function until(time, now) {
  const seconds = Math.ceil((Date.parse(time) - now) / 1000)
  return seconds > 0 ? `in ${span(seconds)}` : 'now'
}

/** @param {number} seconds @returns {string} such as `1 min 20 s` */
export function span(seconds) {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

/** How far it has come. @param {ImageBody['status']} status @returns {number | null} percent; null where nobody knows */
export function percent({ progress }) {
  const value = Number.parseFloat(progress ?? '')
  return Number.isFinite(value) ? value : null
}

/** @param {ImageBody['status']} status @returns {string} such as `42.5%, 84 MiB/s, 1 min 20 s left`; empty where nothing is known */
export function movement(status) {
  const { downloadSpeed, remainingSeconds, receivedBytes } = status
  const done = percent(status)
  // What has broken off does not move, however fast it was.
  const moves = status.upload === undefined
  const parts = [
    ...(done === null ? [] : [`${done}%`]),
    ...(done !== null || receivedBytes === undefined ? [] : [`${size(receivedBytes)} so far`]),
    ...(downloadSpeed === undefined || !moves ? [] : [`${size(downloadSpeed.currentBytes)}/s`]),
    ...(remainingSeconds === undefined || !moves ? [] : [`${span(remainingSeconds)} left`]),
  ]
  return parts.join(', ')
}

/** What is the matter with it, and what to do; empty for nothing. @param {ImageBody} image */
export function trouble({ status }) {
  const told = status.conditions.filter(
    ({ status, message }) => status !== 'True' && message !== '',
  )
  return [...new Set(told.map(({ message }) => message))].map(sentence).join(' ')
}

/** What the service says in lower case and without an end, as a sentence. @param {string} text */
export function sentence(text) {
  if (text === '') return ''
  const end = /[.!?…]$/.test(text) ? '' : '.'
  // Not what has a spelling of its own, such as qcow2, md5 or https://.
  const begun = text.replace(/^[a-z](?=[a-z]*(?:[\s,;']|$))/, (letter) => letter.toUpperCase())
  return `${begun}${end}`
}
