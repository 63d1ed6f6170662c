import { z } from 'zod'
import { mostPolicies, overlaps, shownRange, sizingPoliciesSchema } from './sizing-policy.ts'

const group = /^virtualization\.deckhouse\.io\/./
export const apiVersion = z
  .string()
  .regex(group, 'must be virtualization.deckhouse.io/v1alpha2')
  .meta({ example: 'virtualization.deckhouse.io/v1alpha2' })

/** Whose value `true` makes a class the default one. */
export const defaultAnnotation = 'virtualmachineclass.virtualization.deckhouse.io/is-default-class'

const metadata = z.object({
  name: z.string().min(1).max(253),
  annotations: z
    .object({ [defaultAnnotation]: z.literal('true', 'must be "true"').optional() })
    .optional(),
})

/** Misspelled fields are refused here: a policy that is not seen would be no limit. */
const spec = z.strictObject({
  sizingPolicies: sizingPoliciesSchema.optional(),
  cpu: z.unknown().optional(),
  nodeSelector: z.unknown().optional(),
  tolerations: z.unknown().optional(),
})

/** Whatever else is wrong, ranges that can be compared are. */
const hasRanges = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    sizingPolicies: z
      .array(z.object({ cores: z.object({ min: z.number(), max: z.number() }) }))
      .max(mostPolicies),
  }),
})

const fields = z.object({ apiVersion, kind: z.literal('VirtualMachineClass'), metadata, spec })

/** What is read of a VirtualMachineClass to say whether a machine fits it. */
export const virtualMachineClassSchema = fields
  .superRefine(tellOverlaps, { when: ({ value }) => hasRanges.safeParse(value).success })
  .meta({ id: 'VirtualMachineClass' })

export type VirtualMachineClass = z.output<typeof virtualMachineClassSchema>

function tellOverlaps(
  { metadata: { name }, spec: { sizingPolicies = [] } }: z.output<typeof fields>,
  context: z.core.$RefinementCtx,
): void {
  for (const [index, policy] of sizingPolicies.entries()) {
    for (const before of sizingPolicies.slice(0, index)) {
      if (!overlaps(before, policy)) continue
      const message = `VirtualMachineClass "${name}" has sizing policies whose core ranges overlap: ${shownRange(before)} and ${shownRange(policy)}`
      context.addIssue({
        code: 'custom',
        path: ['spec', 'sizingPolicies', index, 'cores'],
        message,
      })
    }
  }
}

type Annotated = {
  readonly metadata: {
    readonly deletionTimestamp?: string | undefined
    readonly annotations?: { readonly [name: string]: string | undefined } | undefined
  }
}

/** One that is on its way out is no default any more. */
export function isDefault({ metadata: { annotations, deletionTimestamp } }: Annotated): boolean {
  return deletionTimestamp === undefined && annotations?.[defaultAnnotation] === 'true'
}
