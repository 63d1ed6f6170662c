import { z } from 'zod'

/** Billionths of a byte: the finest that a Kubernetes quantity can tell, so that all of them are whole. */
const one = 10n ** 9n

/** The largest first, each in billionths. */
const shown: readonly (readonly [unit: string, worth: bigint])[] = [
  ['Ei', one << 60n],
  ['Pi', one << 50n],
  ['Ti', one << 40n],
  ['Gi', one << 30n],
  ['Mi', one << 20n],
  ['Ki', one << 10n],
  ['', one],
  ['m', 10n ** 6n],
  ['u', 10n ** 3n],
  ['n', 1n],
]

const decimal = ['', 'k', 'M', 'G', 'T', 'P', 'E'].map(
  (unit, power) => [unit, one * 1000n ** BigInt(power)] as const,
)

const worths = new Map([...decimal, ...shown])

/** No quantity that means something is longer, and the work of reading one grows with its length. */
export const longestQuantity = 64

const pattern =
  /^(?<sign>[+-]?)(?=\.?\d)(?<whole>\d*)(?:\.(?<fraction>\d*))?(?:[eE](?<exponent>[+-]?\d{1,2})|(?<unit>[KMGTPE]i|[numkMGTPE])?)$/

/**
 * A Kubernetes quantity (`1.5Gi`, `512Mi`, `1e9`, `1000m`) in billionths, exactly; null when it is none, is longer than 64
 * characters, or finer than a billionth.
 */
export function parseQuantity(text: string): bigint | null {
  if (text.length > longestQuantity) return null
  const parts = pattern.exec(text)?.groups
  if (!parts) return null
  const { sign, whole = '', fraction = '', exponent = '0', unit = '' } = parts
  const power = Number(exponent) - fraction.length
  const digits = BigInt(whole + fraction) * (worths.get(unit) ?? one)
  const scale = 10n ** BigInt(Math.abs(power))
  if (power < 0 && digits % scale !== 0n) return null
  const amount = power < 0 ? digits / scale : digits * scale
  return sign === '-' ? -amount : amount
}

/** In the largest binary unit that is exact (`1536Mi`, not `1.5Gi`); a part of a byte in the largest decimal one. */
export function formatQuantity(amount: bigint): string {
  if (amount === 0n) return '0'
  const [unit, worth] = shown.find(([, worth]) => amount % worth === 0n) ?? ['n', 1n]
  return `${amount / worth}${unit}`
}

/** Of cores: in whole ones, or in the largest decimal part that is exact (`7910m`). */
export function formatCores(amount: bigint): string {
  if (amount % one === 0n) return String(amount / one)
  return formatQuantity(amount)
}

const wrong = 'must be a quantity such as 512Mi, 1.5Gi or 1e9'

/** A quantity as manifests have it, as text or as a number; gives billionths. */
export const quantitySchema = z
  .union([z.string(), z.number()], wrong)
  .transform((value, context) => {
    const isExact = typeof value === 'string' || !Number.isInteger(value) || isSafe(value)
    const amount = isExact ? parseQuantity(String(value)) : null
    if (amount !== null) return amount
    context.addIssue({ code: 'custom', message: wrong })
    return z.NEVER
  })
  .meta({ description: 'A Kubernetes quantity', example: '1.5Gi' })

/** Beyond 2^53 a number may be another one than was written. */
function isSafe(value: number): boolean {
  return Number.isSafeInteger(value)
}

export const positiveQuantity = quantitySchema.refine((amount) => amount > 0n, 'must be above 0')
