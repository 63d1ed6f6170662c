import type { Image } from '../../client/images.ts'
import { formatSpan } from '../../image/duration.ts'

export const heads = ['NAME', 'PHASE', 'FORMAT', 'SIZE', 'STORED', 'AGE'] as const

const nothing = '-'

/** @param now milliseconds since 1970 */
export function rowOf({ name, createdAt, status }: Image, now: number): readonly string[] {
  const { format = nothing, size } = status
  const { unpacked = nothing, stored = nothing } = size ?? {}
  return [name, phaseOf(status), format, unpacked, stored, ageOf(createdAt, now)]
}

/** With how far it is where it moves. */
export function phaseOf({ phase, progress }: Image['status']): string {
  return phase === 'Provisioning' && progress !== undefined ? `${phase} ${progress}` : phase
}

/** Since a time in ISO 8601: `45s`, `3d4h`. */
export function ageOf(time: string, now: number): string {
  const milliseconds = now - Date.parse(time)
  if (Number.isNaN(milliseconds)) return nothing
  return formatSpan(Math.max(0, Math.floor(milliseconds / 1000)))
}

/** What of it has come, from 0 to 1; null where nobody knows. */
export function shareOf({ progress }: Image['status']): number | null {
  const percent = Number.parseFloat(progress ?? '')
  return Number.isFinite(percent) ? percent / 100 : null
}

/** `84Mi/s, 1m20s left`; empty where nothing moves. */
export function movementOf(status: Image['status']): string {
  const { downloadSpeed, remaining, receivedBytes, progress, nextRetryAt, upload } = status
  if (nextRetryAt !== undefined) return 'waits to try again'
  if (upload !== undefined) return 'waits for the rest of its file'
  const { current } = downloadSpeed ?? {}
  return [
    ...(progress === undefined && receivedBytes !== undefined ? [`${receivedBytes} bytes`] : []),
    ...(current === undefined ? [] : [`${current}/s`]),
    ...(remaining === undefined ? [] : [`${remaining} left`]),
  ].join(', ')
}
