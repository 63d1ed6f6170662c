const units = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'] as const

/**
 * Bytes for people: `B Ki Mi Gi Ti Pi`, one decimal, a trailing `.0` dropped (`285.9Mi`, `2.2Gi`, `5B`).
 * Source: image-lifecycle, "status.size".
 */
export function formatSize(bytes: number): string {
  let unit = 0
  let value = bytes
  while (unit < units.length - 1 && Number(value.toFixed(1)) >= 1024) {
    value /= 1024
    unit += 1
  }
  return `${value.toFixed(1).replace(/\.0$/, '')}${units[unit] || 'B'}`
}

/** `512`, `64Mi`, `1Ti` as bytes; null when it is no such text or beyond 2^53. */
export function parseSize(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)(|Ki|Mi|Gi|Ti|Pi)B?$/.exec(text)
  if (!match) return null
  const power = units.findIndex((unit) => unit === match[2])
  const bytes = Number(match[1]) * 1024 ** power
  return Number.isSafeInteger(bytes) ? bytes : null
}
