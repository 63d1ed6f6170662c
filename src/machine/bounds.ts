/** Limits of a whole number; a bound that is missing is none. */
export type Bounds = {
  readonly min?: bigint | undefined
  readonly max?: bigint | undefined
}

export type Steps = Bounds & {
  /** Above 0. */
  readonly step?: bigint | undefined
}

export function isWithin(value: bigint, { min, max }: Bounds): boolean {
  return (min === undefined || value >= min) && (max === undefined || value <= max)
}

/**
 * The nearest allowed values around one within the bounds that is none of min, min+step, … and max; null when it is one.
 * Without min, steps are counted from 0, and neither 0 nor what is below it is a value. Worked out, never listed: there may be
 * 2^64 steps.
 */
export function nearestSteps(value: bigint, { min, max, step }: Steps): bigint[] | null {
  if (step === undefined || value === max) return null
  const limited = (next: bigint) => (max !== undefined && next > max ? max : next)
  if (min === undefined && value <= 0n) return [limited(step)]
  const beyond = (value - (min ?? 0n)) % step
  if (beyond === 0n) return null
  const below = value - beyond
  return [below, limited(below + step)].filter((each) => each > 0n)
}

/** `between 1Gi and 8Gi`, `at least 1Gi`, `at most 8Gi`. */
export function shownBounds({ min, max }: Bounds, show: (value: bigint) => string): string {
  if (min !== undefined && max !== undefined) return `between ${show(min)} and ${show(max)}`
  if (min !== undefined) return `at least ${show(min)}`
  return max === undefined ? 'of any size' : `at most ${show(max)}`
}
