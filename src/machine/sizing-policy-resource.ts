import { z } from 'zod'
import { longestQuantity, positiveQuantity } from './quantity.ts'
import { rules, type Rule } from './rule.ts'
import {
  coresRange,
  disordered,
  memoryRange,
  mostPolicies,
  sizingPolicySchema,
} from './sizing-policy.ts'

/** The sizing policies as the definition of VirtualMachineClass says them: the same, with what CEL has to say. */

/** What a text must look like to be a quantity, in words that Go knows, too. */
export const quantityPattern =
  /^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2}|[KMGTPE]i|[numkMGTPE])?$/

/** An integer or a text becomes what CEL compares. */
const quantity = (field: string) =>
  `(type(${field}) == string ? quantity(${field}) : quantity('0').add(int(${field})))`

const amount = positiveQuantity
  .meta({
    'x-kubernetes-int-or-string': true,
    maxLength: longestQuantity,
    pattern: quantityPattern.source,
    ...rules({ rule: `${quantity('self')}.sign() > 0`, message: 'must be above 0' }),
  })
  .optional()

const inOrder: Rule = {
  rule: `!has(self.min) || !has(self.max) || ${quantity('self.min')}.compareTo(${quantity('self.max')}) <= 0`,
  message: disordered,
}

const cores = coresRange.meta({
  description: 'The numbers of cores that the policy is for',
  ...rules({ rule: 'self.min <= self.max', message: disordered }),
})

const memory = z
  .strictObject({
    ...memoryRange.shape,
    min: amount,
    max: amount,
    step: amount,
    perCore: z
      .strictObject({ min: amount, max: amount })
      .optional()
      .meta({ description: 'How much each core may have', ...rules(inOrder) }),
  })
  .meta({ description: 'How much memory a machine may have', ...rules(inOrder) })

const { dedicatedCores, coreFractions, defaultCoreFraction } = sizingPolicySchema.shape

const policy = z
  .strictObject({
    ...sizingPolicySchema.shape,
    cores,
    memory: memory.optional(),
    dedicatedCores: dedicatedCores.meta({
      description: 'Whether a machine may have its cores alone; an empty list allows both',
    }),
    coreFractions: coreFractions.meta({
      description: 'Percentages of each core; an empty list allows all',
    }),
    defaultCoreFraction: defaultCoreFraction.meta({
      description: 'The percentage where a machine names none',
    }),
  })
  .meta(
    rules({
      rule: '!has(self.defaultCoreFraction) || !has(self.coreFractions) || size(self.coreFractions) == 0 || self.defaultCoreFraction in self.coreFractions',
      messageExpression:
        "'must be one of coreFractions: ' + self.coreFractions.map(each, string(each)).join(', ')",
      fieldPath: '.defaultCoreFraction',
    }),
  )

export const sizingPoliciesResource = z.array(policy).max(mostPolicies).meta({
  description:
    'How large machines may be: the policy whose range holds their cores counts, no policies are no limit',
})

const policies = 'self.spec.sizingPolicies'
const areBoth = 'i < j && one.cores.min <= other.cores.max && other.cores.min <= one.cores.max'
const shown = (name: string) => `string(${name}.cores.min) + '-' + string(${name}.cores.max)`

/**
 * No two ranges of cores overlap. The rule stands at the root, where the name is, and is asked when policies are new or others:
 * a class from before it must not be kept from losing its finalizer.
 */
export const noOverlaps: Rule = {
  rule: `!has(${policies}) || (oldSelf.hasValue() && oldSelf.value().?spec.?sizingPolicies == optional.of(${policies})) || !${policies}.exists(i, one, ${policies}.exists(j, other, ${areBoth}))`,
  messageExpression: `'VirtualMachineClass "' + self.metadata.name + '" has sizing policies whose core ranges overlap: ' + ${policies}.transformList(i, one, ${policies}.transformList(j, other, ${areBoth}, ${shown('one')} + ' and ' + ${shown('other')})).filter(pairs, size(pairs) > 0)[0][0]`,
  fieldPath: '.spec.sizingPolicies',
  optionalOldSelf: true,
}
