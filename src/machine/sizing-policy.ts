import { z } from 'zod'
import { positiveQuantity } from './quantity.ts'

/** The sizing policies of a VirtualMachineClass (vmclass, the table of fields). */

export const mostPolicies = 16
const mostCores = 1024
/** There are no more percentages, and no more booleans, than this; lists may repeat themselves. */
const mostListed = 100

type Range = { readonly min?: unknown; readonly max?: unknown }
const isInOrder = ({ min, max }: Range) => !isNumeric(min) || !isNumeric(max) || min <= max
export const disordered = 'The minimum must not be greater than the maximum'

function isNumeric(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

const number = (least: number, most: number) => {
  const wrong = `must be a whole number from ${least} to ${most}`
  return z.int(wrong).min(least, wrong).max(most, wrong)
}

/** A percentage of a core. */
export const fractionNumber = number(1, 100)

/** A list that is too long is refused before any of it is looked at. */
const few = <Item extends z.ZodType>(item: Item, most: number) =>
  z.preprocess((value, context) => {
    if (!Array.isArray(value) || value.length <= most) return value
    context.addIssue({ code: 'custom', message: `must have at most ${most} items` })
    return z.NEVER
  }, z.array(item, 'must be a list').max(most))

export const coresRange = z
  .strictObject({
    min: number(1, mostCores),
    max: number(1, mostCores),
    step: z.int('must be a whole number').min(1, 'must be 1 or more').optional(),
  })
  .refine(isInOrder, disordered)

const amounts = { min: positiveQuantity.optional(), max: positiveQuantity.optional() }

export const memoryRange = z
  .strictObject({
    ...amounts,
    step: positiveQuantity.optional(),
    perCore: z.strictObject(amounts).refine(isInOrder, disordered).optional(),
  })
  .refine(isInOrder, disordered)

export const sizingPolicySchema = z
  .strictObject({
    cores: coresRange,
    memory: memoryRange.optional(),
    dedicatedCores: few(z.boolean('must be true or false'), mostListed).optional(),
    coreFractions: few(fractionNumber, mostListed).optional(),
    defaultCoreFraction: fractionNumber.optional(),
  })
  .superRefine(({ coreFractions = [], defaultCoreFraction }, context) => {
    if (defaultCoreFraction === undefined || coreFractions.length === 0) return
    if (coreFractions.includes(defaultCoreFraction)) return
    const message = `must be one of coreFractions: ${coreFractions.join(', ')}`
    context.addIssue({ code: 'custom', path: ['defaultCoreFraction'], message })
  })

export const sizingPoliciesSchema = few(sizingPolicySchema, mostPolicies).meta({
  description: 'At most 16, whose core ranges do not overlap; none is no limit',
})

export type SizingPolicy = z.output<typeof sizingPolicySchema>
export type MemoryRange = z.output<typeof memoryRange>

/** A range of cores as messages have it: `1-4`. */
export function shownRange({ cores: { min, max } }: SizingPolicy): string {
  return `${min}-${max}`
}

export function overlaps({ cores: one }: SizingPolicy, { cores: other }: SizingPolicy): boolean {
  return one.min <= other.max && other.min <= one.max
}
