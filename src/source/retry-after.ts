/** A source that asks for more patience than this is asked again anyway. */
const longest = 10 * 60_000

/** IMF-fixdate, and the two older forms that RFC 9110 section 5.6.7 still asks to be understood. */
const httpDate = /^[A-Z][a-z]{2,8},? [\w -]+\d\d:\d\d:\d\d(?: \d{4}| GMT)$/

/** Milliseconds that a Retry-After asks to wait (RFC 9110 section 10.2.3), null when it cannot be read. */
export function retryAfter(value: string | null, now: number): number | null {
  const wait = value === null ? Number.NaN : milliseconds(value.trim(), now)
  return Number.isNaN(wait) ? null : Math.min(Math.max(wait, 0), longest)
}

function milliseconds(value: string, now: number): number {
  if (/^\d+$/.test(value)) return Number(value) * 1000
  if (!httpDate.test(value)) return Number.NaN
  // The asctime form names no zone; all three are in GMT.
  return Date.parse(value.endsWith('GMT') ? value : `${value} GMT`) - now
}
