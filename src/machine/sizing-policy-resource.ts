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

/**
 * An integer or a text becomes what CEL compares. A rule that fails to be worked out is no rule that is broken: it would refuse
 * every change of what was stored before it, so `unread` comes first.
 */
const quantity = (field: string) =>
  `(type(${field}) == string ? quantity(${field}) : quantity('0').add(int(${field})))`
const unread = (field: string) => `(type(${field}) == string && !isQuantity(${field}))`

const amount = positiveQuantity
  .meta({
    'x-kubernetes-int-or-string': true,
    maxLength: longestQuantity,
    pattern: quantityPattern.source,
    ...rules({
      rule: `${unread('self')} || ${quantity('self')}.isGreaterThan(quantity('0'))`,
      message: 'must be above 0',
    }),
  })
  .optional()

const inOrder: Rule = {
  rule: `!has(self.min) || !has(self.max) || ${unread('self.min')} || ${unread('self.max')} || ${quantity('self.min')}.compareTo(${quantity('self.max')}) <= 0`,
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
      messageExpression: "'must be one of coreFractions: %s'.format([self.coreFractions])",
      fieldPath: '.defaultCoreFraction',
    }),
  )

export const sizingPoliciesResource = z.array(policy).max(mostPolicies).meta({
  description:
    'How large machines may be: the policy whose range holds their cores counts, no policies are no limit',
})

const policies = 'self.spec.sizingPolicies'
const areBoth = 'one.cores.min <= other.cores.max && other.cores.min <= one.cores.max'
/** The first that overlaps others, and those behind it: each overlaps itself. */
const first = `${policies}.map(one, ${policies}.filter(other, ${areBoth})).filter(group, size(group) > 1)[0]`
const ends = [0, 1].flatMap((at) => ['min', 'max'].map((end) => `${first}[${at}].cores.${end}`))

/**
 * No two ranges of cores overlap. The rule stands at the root, where the name is, and is asked when policies are new or others:
 * a class from before it must not be kept from losing its finalizer. In what CEL reckons with, only `format` costs what it is.
 */
export const noOverlaps: Rule = {
  rule: `!has(${policies}) || (oldSelf.hasValue() && has(oldSelf.value().spec.sizingPolicies) && oldSelf.value().spec.sizingPolicies == ${policies}) || ${policies}.all(one, size(${policies}.filter(other, ${areBoth})) < 2)`,
  messageExpression: `'VirtualMachineClass "%s" has sizing policies whose core ranges overlap: %d-%d and %d-%d'.format([self.metadata.name, ${ends.join(', ')}])`,
  fieldPath: '.spec.sizingPolicies',
  optionalOldSelf: true,
}
