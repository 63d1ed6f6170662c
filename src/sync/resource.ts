import { z } from 'zod'
import { metadataSchema } from '../kube/cluster-api.ts'
import { conditionSchema, type ResourceKind } from './custom-resource.ts'

/**
 * A ClusterVirtualImage as the companion reads it: the sections that go to the service as they are are looked at there, and
 * whatever somebody wrote into a status hides no resource.
 */

export const group = 'virtualization.deckhouse.io'
export const apiVersion = `${group}/v1alpha2`
export const kind = 'ClusterVirtualImage'
export const resourcesPath = `/apis/${apiVersion}/clustervirtualimages`

export function resourcePath(name: string): string {
  return `${resourcesPath}/${name}`
}

const secretSchema = z.object({ name: z.string(), namespace: z.string() })
export type SecretName = z.output<typeof secretSchema>

const dataSourceSchema = z.looseObject({
  type: z.string(),
  http: z.looseObject({ secretRef: secretSchema.optional() }).optional(),
  containerImage: z.looseObject({ imagePullSecret: secretSchema.optional() }).optional(),
  objectRef: z.looseObject({ kind: z.string().default(kind), name: z.string() }).optional(),
})
export type ResourceSource = z.output<typeof dataSourceSchema>

const reportedSchema = z.looseObject({
  phase: z.string().optional(),
  sourceUID: z.string().optional(),
  conditions: z.array(conditionSchema).optional(),
})

export const clusterVirtualImageSchema = z.object({
  metadata: metadataSchema,
  spec: z.object({ dataSource: dataSourceSchema }),
  status: reportedSchema.optional().catch(undefined),
})
export type ClusterVirtualImage = z.output<typeof clusterVirtualImageSchema>

export const clusterVirtualImage: ResourceKind<ClusterVirtualImage> = {
  apiVersion,
  kind,
  path: resourcesPath,
  schema: clusterVirtualImageSchema,
  finalizer: 'virtualization.deckhouse.io/cvi-cleanup',
}
