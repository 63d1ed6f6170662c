import { z } from 'zod'
import { metadataSchema } from '../../kube/cluster-api.ts'
import { cpuTypes } from '../../machine/node-class.ts'
import { conditionSchema, type ResourceKind } from '../custom-resource.ts'
import { apiVersion } from '../resource.ts'

/**
 * A VirtualMachineClass as the companion reads it: whatever somebody wrote into a status hides no class, and sizing policies
 * are looked at where a machine is held against them.
 */

const selectorSchema = z.object({
  matchLabels: z.record(z.string(), z.string()).optional(),
  matchExpressions: z
    .array(
      z.object({
        key: z.string(),
        operator: z.string(),
        values: z.array(z.string()).optional(),
      }),
    )
    .optional(),
})

const tolerationSchema = z.object({
  key: z.string().optional(),
  operator: z.string().optional(),
  value: z.string().optional(),
  effect: z.string().optional(),
})

const specSchema = z.object({
  cpu: z.object({
    type: z.enum(cpuTypes),
    model: z.string().optional(),
    features: z.array(z.string()).optional(),
    discovery: selectorSchema.extend({ nodeSelector: selectorSchema.optional() }).optional(),
  }),
  nodeSelector: selectorSchema.optional(),
  tolerations: z.array(tolerationSchema).optional(),
  sizingPolicies: z.unknown().optional(),
})

const statusSchema = z.looseObject({
  phase: z.string().optional(),
  availableNodes: z.array(z.string()).optional(),
  cpuFeatures: z.looseObject({ enabled: z.array(z.string()).optional() }).optional(),
  rediscovered: z.string().optional(),
  conditions: z.array(conditionSchema).optional(),
})

const classSchema = z.object({
  metadata: metadataSchema.extend({ annotations: z.record(z.string(), z.string()).optional() }),
  spec: specSchema,
  status: statusSchema.optional().catch(undefined),
})
export type MachineClass = z.output<typeof classSchema>

export const virtualMachineClass: ResourceKind<MachineClass> = {
  apiVersion,
  kind: 'VirtualMachineClass',
  path: `/apis/${apiVersion}/virtualmachineclasses`,
  schema: classSchema,
  finalizer: 'virtualization.deckhouse.io/vmclass-cleanup',
}
