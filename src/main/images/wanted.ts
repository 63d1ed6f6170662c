import { z } from 'zod'
import { Refusal } from '../../errors.ts'
import { clusterVirtualImageSpec } from '../../image/cluster-virtual-image.ts'
import { dataSourceSchema, type DataSource } from '../../image/data-source.ts'
import { told, valuesOf } from '../manifests.ts'

/** An image that is to be created. */
export type Wanted = { readonly name: string; readonly dataSource: DataSource }

const body = z.strictObject({
  name: z.string(),
  dataSource: dataSourceSchema,
  owner: z.object({ uid: z.string() }).optional(),
})

const manifest = z.object({
  kind: z.literal('ClusterVirtualImage'),
  metadata: z.object({ name: z.string() }),
  spec: clusterVirtualImageSpec,
})

/**
 * The images that a file asks for, `-` for standard input: bodies of `POST /api/v1/images`, or ClusterVirtualImages.
 * @throws Refusal INVALID_REQUEST with all that is wrong; the system's error when the file cannot be read
 */
export async function wantedIn(file: string): Promise<readonly Wanted[]> {
  const values = (await valuesOf(file)).filter((value) => value !== null && value !== undefined)
  if (values.length === 0) throw new Refusal('INVALID_REQUEST', `${file} holds no image`)
  return values.map((value) => (isManifest(value) ? ofManifest(file, value) : ofBody(file, value)))
}

function isManifest(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value
}

function ofBody(file: string, value: unknown): Wanted {
  return checked(file, body, value)
}

/** Names of secrets mean something in a cluster alone. */
function ofManifest(file: string, value: unknown): Wanted {
  const { metadata, spec } = checked(file, manifest, value)
  const { http, containerImage } = spec.dataSource
  const secret = http?.secretRef ?? containerImage?.imagePullSecret
  if (secret) {
    throw new Refusal(
      'INVALID_REQUEST',
      `${file}: ${metadata.name} names the secret ${secret.namespace}/${secret.name}, which only a cluster knows; apply it there, or leave it out and give --username and --password-file, --token-file or --authfile with --url or --image`,
    )
  }
  return { name: metadata.name, dataSource: checked(file, dataSourceSchema, spec.dataSource) }
}

function checked<Schema extends z.ZodType>(
  file: string,
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const problems = result.error.issues.map((issue) => `${file}: ${told(issue)}`)
  throw new Refusal('INVALID_REQUEST', problems.join('\n'))
}
