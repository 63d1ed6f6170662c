import { z } from 'zod'
import { Refusal } from '../../errors.ts'
import { checked } from '../../kube/answers.ts'
import type { ClusterApi } from '../../kube/cluster-api.ts'

/** What tells the API server to ask the webhook, by whom and about what: `slipway` of both kinds. */
export const configurationName = 'slipway'

const group = '/apis/admissionregistration.k8s.io/v1'
export const configurationsPaths = [
  `${group}/validatingwebhookconfigurations`,
  `${group}/mutatingwebhookconfigurations`,
] as const

const clientSchema = z.looseObject({
  service: z.looseObject({ name: z.string(), namespace: z.string() }).optional(),
  url: z.string().optional(),
  caBundle: z.string().optional(),
})
// Loose: all of it is written back.
const webhookSchema = z.looseObject({ clientConfig: clientSchema })
const configurationSchema = z.object({
  metadata: z.object({
    resourceVersion: z.string(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  webhooks: z.array(webhookSchema).default([]),
})

export type Configuration = z.output<typeof configurationSchema> & { readonly path: string }

/** @returns those that there are */
export async function readConfigurations(
  api: Pick<ClusterApi, 'get'>,
  signal: AbortSignal,
): Promise<readonly Configuration[]> {
  const paths = configurationsPaths.map((path) => `${path}/${configurationName}`)
  const found = await Promise.all(paths.map((path) => read(path, api, signal)))
  return found.filter((one) => one !== null)
}

async function read(
  path: string,
  api: Pick<ClusterApi, 'get'>,
  signal: AbortSignal,
): Promise<Configuration | null> {
  try {
    return { ...checked(configurationSchema, await api.get(path, {}, signal)), path }
  } catch (error) {
    if (error instanceof Refusal && error.code === 'CLUSTER_NOT_FOUND') return null
    throw error
  }
}

/** Host names and IP addresses that the API server calls the webhook by, each once, in order. */
export function namesIn(configurations: readonly Configuration[]): readonly string[] {
  const clients = configurations.flatMap(({ webhooks }) => webhooks)
  return [...new Set(clients.flatMap(({ clientConfig }) => nameOf(clientConfig)))].sort()
}

function nameOf({ service, url }: z.output<typeof clientSchema>): string[] {
  if (service) return [serviceHost(service.name, service.namespace)]
  const { hostname = '' } = URL.parse(url ?? '') ?? {}
  // Brackets are of the URL, not of the address; and no certificate has the dot of the root.
  const name = hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')
  return name === '' ? [] : [name]
}

export function serviceHost(name: string, namespace: string): string {
  return `${name}.${namespace}.svc`
}

/** By these, somebody else is asked to write caBundle: cert-manager, and OpenShift. */
const injectors = [
  'cert-manager.io/inject-ca-from',
  'cert-manager.io/inject-ca-from-secret',
  'cert-manager.io/inject-apiserver-ca',
  'service.beta.openshift.io/inject-cabundle',
]

/** The annotation that leaves caBundle to somebody else; null when it is ours. */
export function injectorOf({ metadata: { annotations = {} } }: Configuration): string | null {
  return injectors.find((name) => name in annotations) ?? null
}

/** Whether all its entries trust the bundle, and nothing else. */
export function isTrusted({ webhooks }: Configuration, bundle: string): boolean {
  const wanted = coded(bundle)
  return webhooks.every(({ clientConfig }) => clientConfig.caBundle === wanted)
}

/** @throws Refusal CLUSTER_CONFLICT when it has changed meanwhile, CLUSTER_NOT_FOUND when it is gone */
export async function makeTrusted(
  { path, metadata, webhooks }: Configuration,
  bundle: string,
  api: Pick<ClusterApi, 'patch'>,
  signal: AbortSignal,
): Promise<void> {
  const caBundle = coded(bundle)
  const { resourceVersion } = metadata
  const body = {
    metadata: { resourceVersion },
    webhooks: webhooks.map(({ clientConfig, ...rest }) => ({
      ...rest,
      clientConfig: { ...clientConfig, caBundle },
    })),
  }
  await api.patch(path, 'merge', body, {}, signal)
}

function coded(bundle: string): string {
  return Buffer.from(bundle).toString('base64')
}
