/** What has become of a try. */
export type Verdict =
  | { readonly kind: 'delivered' }
  /** Another try would end in the same way. */
  | { readonly kind: 'refused'; readonly problem: string }
  | {
      readonly kind: 'failed'
      readonly problem: string
      /** Milliseconds that the subscriber asks to be left alone. */
      readonly retryAfter: number | null
    }

/** Nobody wants it any more, it is too large, or it makes no sense there. With other 4xx a secret may be at fault. */
const final = new Set([410, 413, 422])

export function verdictOn(status: number, retryAfter: number | null): Verdict {
  if (status >= 200 && status < 300) return { kind: 'delivered' }
  if (final.has(status)) return { kind: 'refused', problem: `it answered ${status}` }
  const isRedirect = status >= 300 && status < 400
  const problem = `it answered ${status}${isRedirect ? ', and redirects are not followed' : ''}`
  return { kind: 'failed', problem, retryAfter }
}

const first = 5000
const longest = 3_600_000

/**
 * Milliseconds before the next try: 5 s doubling to an hour, half of it by chance.
 * @param failures tries that failed so far, at least 1
 * @param asked what the subscriber itself asks for; it is never asked earlier
 */
export function patience(failures: number, asked: number | null, random: () => number): number {
  const full = Math.min(longest, first * 2 ** Math.min(failures - 1, 16))
  return Math.max(Math.round(full / 2 + (full / 2) * random()), asked ?? 0)
}
