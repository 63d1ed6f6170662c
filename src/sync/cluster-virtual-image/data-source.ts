import type { ClusterApi } from '../../kube/cluster-api.ts'
import type { ResourceSource } from '../resource.ts'
import { httpCredentials, pullCredentials, type Credentials } from './secrets.ts'
import type { Finding } from './status.ts'

/** A data source as REST takes it, or why it cannot be made yet. */
export type Resolved = { readonly dataSource: object } | { readonly finding: Finding }

/**
 * Secrets are named in the resource and handed to the service, which forgets them when the image is there.
 * @throws Outage CLUSTER_UNAVAILABLE
 */
export async function resolve(
  source: ResourceSource,
  api: Pick<ClusterApi, 'get'>,
  signal: AbortSignal,
): Promise<Resolved> {
  const { secretRef, ...http } = source.http ?? {}
  if (secretRef) {
    const credentials = await httpCredentials(secretRef, api, signal)
    return resolved({ ...source, http }, 'http', credentials, 'DatasourceNotReady')
  }
  const { imagePullSecret, ...containerImage } = source.containerImage ?? {}
  if (imagePullSecret) {
    const credentials = await pullCredentials(imagePullSecret, api, signal)
    const missing = 'ContainerRegistrySecretNotFound'
    return resolved({ ...source, containerImage }, 'containerImage', credentials, missing)
  }
  return { dataSource: source }
}

function resolved(
  source: { readonly [section: string]: unknown },
  section: 'http' | 'containerImage',
  credentials: Credentials,
  missing: Finding['source'],
): Resolved {
  if ('auth' in credentials) {
    const given = source[section]
    const whole = { ...(typeof given === 'object' && given), auth: credentials.auth }
    return { dataSource: { ...source, [section]: whole } }
  }
  const { problem } = credentials
  const reason = 'ProvisioningNotStarted'
  return { finding: { phase: 'Pending', reason, source: missing, message: problem } }
}
