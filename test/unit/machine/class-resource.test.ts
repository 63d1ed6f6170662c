import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { virtualMachineClassSpec } from '../../../src/machine/class-resource.ts'
import { parseQuantity } from '../../../src/machine/quantity.ts'
import { sizingPoliciesSchema } from '../../../src/machine/sizing-policy.ts'
import { quantityPattern } from '../../../src/machine/sizing-policy-resource.ts'
import { guidePolicies } from '../../support/machine-classes.ts'

const json = (schema: z.ZodType) => z.toJSONSchema(schema, { io: 'input' })

/** The path of every field, items by [], and what is said of it. */
function fieldsOf(schema: z.core.JSONSchema.BaseSchema, path: string): string[] {
  const inner = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    typeof field === 'object' ? fieldsOf(field, `${path}.${name}`) : [],
  )
  const items = schema.items
  const item =
    typeof items === 'object' && !Array.isArray(items) ? fieldsOf(items, `${path}[]`) : []
  return [path, ...inner, ...item]
}

describe('the sizing policies of the resource', () => {
  test('have the fields that the evaluator knows, and no others', () => {
    const resource = virtualMachineClassSpec.shape.sizingPolicies
    const fields = fieldsOf(json(resource), 'sizingPolicies')
    expect(fields.length).toBeGreaterThan(12)
    expect(fields.sort()).toEqual(fieldsOf(json(sizingPoliciesSchema), 'sizingPolicies').sort())
  })

  test('are those of the guide', () => {
    const spec = { cpu: { type: 'Host' }, sizingPolicies: guidePolicies }
    expect(virtualMachineClassSpec.safeParse(spec).success).toBe(true)
  })
})

describe('the pattern of quantities', () => {
  const part = fc.constantFrom(
    '',
    '0',
    '1',
    '12',
    '.',
    '+',
    '-',
    'e',
    'E',
    'Mi',
    'm',
    'k',
    'K',
    'i',
  )
  const text = fc.array(part, { maxLength: 6 }).map((parts) => parts.join(''))

  test('takes what the evaluator takes', () => {
    fc.assert(
      fc.property(text, (quantity) => {
        const read = parseQuantity(quantity)
        if (read !== null) expect(quantity).toMatch(quantityPattern)
        // Finer than a billionth is a quantity for Kubernetes, which rounds it.
        const fine = quantityPattern.test(quantity) && read === null
        if (fine) expect(quantity).toMatch(/[eE]-\d|\.\d+m$/)
      }),
      { numRuns: 5000 },
    )
  })
})
