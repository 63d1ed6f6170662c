const milliseconds = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

function isUnit(text: string): text is keyof typeof milliseconds {
  return text in milliseconds
}

/** `250ms`, `30s`, `15m`, `24h`, `7d` as milliseconds; null when it is no such text. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text)
  const [, amount, unit] = match ?? []
  if (amount === undefined || unit === undefined || !isUnit(unit)) return null
  return Number(amount) * milliseconds[unit]
}

/** Milliseconds in the largest unit that is exact: `15m`, `1500ms`. */
export function formatDuration(duration: number): string {
  const units = Object.entries(milliseconds).toReversed()
  const [unit, length] = units.find(([, length]) => duration % length === 0 && duration > 0) ?? [
    'ms',
    1,
  ]
  return `${duration / length}${unit}`
}

const spans = [
  ['d', 86_400, 'h', 3600],
  ['h', 3600, 'm', 60],
  ['m', 60, 's', 1],
] as const

/** Whole seconds in the two largest units: `45s`, `1m20s`, `2h`, `3d4h`. */
export function formatSpan(seconds: number): string {
  const span = spans.find(([, length]) => seconds >= length)
  if (!span) return `${seconds}s`
  const [unit, length, smaller, part] = span
  const rest = Math.floor((seconds % length) / part)
  return `${Math.floor(seconds / length)}${unit}${rest > 0 ? `${rest}${smaller}` : ''}`
}
