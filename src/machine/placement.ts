import { z } from 'zod'
import { rules } from './rule.ts'

/** On which nodes the machines of a class may run: label selectors and tolerations, as pods have them. */

/** Kubernetes, "Labels and Selectors", "Syntax and character set": an optional prefix, which is a DNS subdomain, and a name. */
const labelKey = z
  .string()
  .min(1)
  .max(317)
  .regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/)
const labelValue = z
  .string()
  .max(63)
  .regex(/^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/)

const operators = ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'] as const

const requirement = z
  .strictObject({
    key: labelKey.meta({ description: 'The key of a label' }),
    operator: z.enum(operators),
    values: z.array(labelValue).max(256).optional().meta({
      description: 'For In and NotIn, at least one; for Gt and Lt, one whole number',
    }),
  })
  .meta(
    rules(
      {
        rule: "!(self.operator in ['In', 'NotIn']) || (has(self.values) && size(self.values) > 0)",
        message: 'In and NotIn need at least one of values',
        fieldPath: '.values',
      },
      {
        rule: "!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || size(self.values) == 0",
        message: 'Exists and DoesNotExist cannot have values',
        fieldPath: '.values',
      },
      {
        rule: "!(self.operator in ['Gt', 'Lt']) || (has(self.values) && size(self.values) == 1 && self.values[0].matches('^[0-9]{1,18}$'))",
        message: 'Gt and Lt need one value, a whole number of at most 18 digits',
        fieldPath: '.values',
      },
    ),
  )

/** Of `spec.nodeSelector` and of discovery: a node matches when all of it does; an empty one takes every node. */
export const nodeSelectorSchema = z.strictObject({
  matchLabels: z
    .record(z.string(), labelValue)
    .optional()
    .meta({ description: 'Labels that a node must have', maxProperties: 64 }),
  matchExpressions: z.array(requirement).max(64).optional(),
})

/** Kubernetes, "Taints and Tolerations", and what the API server says of a pod's. */
const toleration = z
  .strictObject({
    key: z
      .string()
      .max(317)
      .regex(/^(([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/)
      .optional()
      .meta({ description: 'The key of a taint; without one, every taint' }),
    operator: z.enum(['Equal', 'Exists']).optional().meta({ description: 'Equal unless given' }),
    value: labelValue.optional(),
    effect: z
      .enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
      .optional()
      .meta({ description: 'Every effect unless given' }),
    tolerationSeconds: z.int().optional(),
  })
  .meta(
    rules(
      {
        rule: "(has(self.key) && self.key != '') || (has(self.operator) && self.operator == 'Exists')",
        message: 'operator must be Exists when key is empty',
        fieldPath: '.operator',
      },
      {
        rule: "!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
        message: 'value must be empty when operator is Exists',
        fieldPath: '.value',
      },
      {
        rule: "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
        message: 'effect must be NoExecute when tolerationSeconds is set',
        fieldPath: '.effect',
      },
    ),
  )

export const tolerationsSchema = z.array(toleration).max(64)
