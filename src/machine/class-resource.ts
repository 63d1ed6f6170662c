import { z } from 'zod'
import { mostNodes } from './cluster-node.ts'
import { nodeSelectorSchema, tolerationsSchema } from './placement.ts'
import { rules, type Rule } from './rule.ts'
import { noOverlaps, sizingPoliciesResource } from './sizing-policy-resource.ts'

/**
 * The custom resource VirtualMachineClass (vmclass, "The resource"). These schemas make its definition; what CEL has to say
 * stands in them as Kubernetes writes it. What its metadata says is for a webhook: CEL sees the name alone.
 */

/** KubeVirt has models and features in names of labels, so they are no longer than those. */
const cpuWord = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/)

/** More than any processor has. */
const mostFeatures = 1024

const oneSelector = 'discovery takes a label selector, itself or in nodeSelector, not both'

const discovery = z
  .strictObject({ ...nodeSelectorSchema.shape, nodeSelector: nodeSelectorSchema.optional() })
  .refine(
    ({ nodeSelector, matchLabels, matchExpressions }) =>
      !nodeSelector || (!matchLabels && !matchExpressions),
    oneSelector,
  )
  .meta({
    description:
      'The nodes whose common features are found: a label selector, here or in nodeSelector; {} is all',
    ...rules({
      rule: '!has(self.nodeSelector) || (!has(self.matchLabels) && !has(self.matchExpressions))',
      message: oneSelector,
    }),
  })

/** Which fields go with which types. */
type Combination = {
  readonly types: readonly string[]
  readonly needs: readonly Field[]
  readonly cannot: readonly Field[]
  readonly message: string
}
type Field = 'model' | 'features' | 'discovery'

const combinations: readonly Combination[] = [
  {
    types: ['HostPassthrough', 'Host'],
    needs: [],
    cannot: ['model', 'features', 'discovery'],
    message: 'HostPassthrough and Host cannot have model, features or discovery',
  },
  {
    types: ['Discovery'],
    needs: [],
    cannot: ['model', 'features'],
    message: 'Discovery cannot have model or features',
  },
  {
    types: ['Model'],
    needs: ['model'],
    cannot: ['features', 'discovery'],
    message: 'Model requires model and cannot have features or discovery',
  },
  {
    types: ['Features'],
    needs: ['features'],
    cannot: ['model', 'discovery'],
    message: 'Features requires features and cannot have model or discovery',
  },
]

function ruleOf({ types, needs, cannot, message }: Combination): Rule {
  const others = types.map((type) => `self.type != '${type}'`)
  const fields = [
    ...needs.map((field) => `has(self.${field})`),
    ...cannot.map((field) => `!has(self.${field})`),
  ]
  return { rule: `(${others.join(' && ')}) || (${fields.join(' && ')})`, message }
}

const cpu = z
  .strictObject({
    type: z.enum(['Host', 'HostPassthrough', 'Discovery', 'Model', 'Features']),
    model: cpuWord.optional().meta({ description: 'As IvyBridge; for the type Model' }),
    features: z
      .array(cpuWord)
      .min(1)
      .max(mostFeatures)
      .optional()
      .meta({ description: 'As vmx; for the type Features' }),
    discovery: discovery.optional(),
  })
  .superRefine((value, context) => {
    for (const { types, needs, cannot, message } of combinations) {
      if (!types.includes(value.type)) continue
      const isGood =
        needs.every((field) => value[field] !== undefined) &&
        cannot.every((field) => value[field] === undefined)
      if (!isGood) context.addIssue({ code: 'custom', message })
    }
  })
  .meta({
    description: 'Which processor a machine sees',
    ...rules(...combinations.map((each) => ruleOf(each)), {
      rule: 'self == oldSelf',
      message: '.spec.cpu is immutable',
    }),
  })

export const virtualMachineClassSpec = z.strictObject({
  cpu,
  nodeSelector: nodeSelectorSchema
    .optional()
    .meta({ description: 'The nodes that machines may run on; all unless given' }),
  tolerations: tolerationsSchema
    .optional()
    .meta({ description: 'The taints of nodes that machines may run on all the same' }),
  sizingPolicies: sizingPoliciesResource.optional(),
})

/** What goes for the resource as a whole. */
export const virtualMachineClassRules: readonly Rule[] = [noOverlaps]

export const virtualMachineClassStatus = z
  .object({
    phase: z.enum(['Pending', 'Ready', 'Terminating']),
    cpuFeatures: z
      .object({
        enabled: z.array(z.string()).optional().meta({ description: 'What machines are given' }),
        notEnabledCommon: z
          .array(z.string())
          .optional()
          .meta({ description: 'What all available nodes have beyond that' }),
      })
      .meta({ description: 'For the types Discovery and Features' }),
    availableNodes: z
      .array(z.string())
      .max(mostNodes)
      .meta({ description: 'The nodes that machines can run on now' }),
    maxAllocatableResources: z
      .object({ cpu: z.string().optional(), memory: z.string().optional() })
      .meta({ description: 'The most that one available node has' }),
    rediscovered: z
      .string()
      .meta({ description: 'Which value of the annotation rediscover was heeded last' }),
    conditions: z
      .array(
        z.object({
          type: z.enum(['Ready', 'Discovered', 'InUse', 'Default']),
          status: z.enum(['True', 'False', 'Unknown']),
          reason: z.string(),
          message: z.string().meta({ description: 'What is the matter, and what to do' }),
          lastTransitionTime: z.string(),
          observedGeneration: z
            .int()
            .meta({ description: 'Which generation of the spec this is about' }),
        }),
      )
      .max(16)
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] }),
    observedGeneration: z.int().meta({ description: 'Which generation this is about' }),
  })
  .partial()
