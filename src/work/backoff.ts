const first = 1000
const longest = 60_000

/**
 * Milliseconds before the next attempt: 1 s doubling to 60 s (image-lifecycle), half of it by chance, so that imports
 * that failed together do not come back together.
 * @param failures attempts that failed so far, at least 1
 * @param asked what the source itself asked for (Retry-After); never come earlier
 */
export function backoff(failures: number, asked: number | null, random: () => number): number {
  const full = Math.min(longest, first * 2 ** Math.min(failures - 1, 10))
  return Math.max(Math.round(full / 2 + (full / 2) * random()), asked ?? 0)
}
